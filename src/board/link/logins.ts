/** Who may log in, and how fast an address may be wrong about it. */
import { createHmac, randomBytes, timingSafeEqual, type X509Certificate } from 'node:crypto';
import type { LinkLimits } from './limits.js';

export interface LinkUser {
  readonly name: string;
  readonly password: string;
  /** `send`: a relay; `read`: may watch. */
  readonly right: 'send' | 'read';
  /**
   * Names of which the client certificate must have one: a SAN dNSName or, without any SAN, CN.
   * Undefined: for `read`, no certificate is needed; for `send`, any of the authority will do.
   */
  readonly certificate?: readonly string[];
}

/** Why a login was refused: no such user or another password; not the user's certificate. */
export type LoginFailure = 'password' | 'certificate';

/** Addresses whose failures are remembered; beyond, the oldest is forgotten. */
const MOST_ADDRESSES = 4096;
/** A failure is forgotten after this many ms. */
const MEMORY = 600_000;

interface Failures {
  count: number;
  /** When the next login of the address is looked at, ms. */
  free: number;
}

export class Logins {
  readonly #users = new Map<string, LinkUser>();
  readonly #limits: LinkLimits;
  readonly #failures = new Map<string, Failures>();
  readonly #key = randomBytes(32);
  readonly #nobody = randomBytes(32);

  /** @throws Error if a user cannot log in as he is written */
  constructor(users: readonly LinkUser[], limits: LinkLimits) {
    this.#limits = limits;
    for (const user of users) {
      checkUser(user);
      if (this.#users.has(user.name)) throw new Error(`there are two users '${user.name}'`);
      this.#users.set(user.name, user);
    }
  }

  /** Whether somebody may come without a certificate. */
  get open(): boolean {
    return [...this.#users.values()].some(
      ({ right, certificate }) => right === 'read' && !certificate,
    );
  }

  /**
   * @param from the address, and the certificate if there is one
   * @param now ms, of a clock that does not go back
   * @returns ms to wait before the login is looked at; undefined: too many wait already
   */
  wait(from: string, now: number): number | undefined {
    const failures = this.#failures.get(from);
    if (!failures) return 0;
    if (now - failures.free > MEMORY) {
      this.#failures.delete(from);
      return 0;
    }
    const wait = Math.max(0, failures.free - now);
    if (wait > this.#limits.lastPenalty) return undefined;
    failures.free = now + wait + this.#penalty(failures.count);
    return wait;
  }

  /** Looks at a login, in a time that does not depend on how much of the password is right. */
  judge(
    name: string,
    password: string,
    certificate: X509Certificate | undefined,
    from: string,
    now: number,
  ): LinkUser | LoginFailure {
    const user = this.#users.get(name);
    const given = this.#digest(password);
    const right = timingSafeEqual(given, user ? this.#digest(user.password) : this.#nobody);
    if (!user || !right) {
      this.#noteFailure(from, now);
      return 'password';
    }
    if (!fits(user, certificate)) {
      this.#noteFailure(from, now);
      return 'certificate';
    }
    this.#failures.delete(from);
    return user;
  }

  #digest(password: string): Buffer {
    return createHmac('sha256', this.#key).update(password).digest();
  }

  #penalty(failures: number): number {
    const { firstPenalty, lastPenalty } = this.#limits;
    return Math.min(firstPenalty * 2 ** (failures - 1), lastPenalty);
  }

  #noteFailure(from: string, now: number): void {
    const known = this.#failures.get(from);
    const count = (known?.count ?? 0) + 1;
    const free = Math.max(known?.free ?? 0, now + this.#penalty(count));
    // Put at the end again: the oldest stands in front.
    this.#failures.delete(from);
    this.#failures.set(from, { count, free });
    if (this.#failures.size > MOST_ADDRESSES) {
      const [oldest] = this.#failures.keys();
      this.#failures.delete(oldest!);
    }
  }
}

function checkUser({ name, password, certificate }: LinkUser): void {
  if (name === '' || name.trim() !== name || /[\u0000-\u001f\u007f]/.test(name)) {
    throw new Error(`the user '${name}' must have a name without spaces around it`);
  }
  if (password === '' || /[\u0000-\u001f\u007f]/.test(password)) {
    throw new Error(`the password of '${name}' is empty or holds control characters`);
  }
  if (certificate?.length === 0) throw new Error(`no certificate at all would fit '${name}'`);
  for (const wanted of certificate ?? []) {
    // OpenSSL takes a point in front for every name below.
    if (!/^[^.\u0000-\u001f\u007f][^\u0000-\u001f\u007f]*$/.test(wanted)) {
      throw new Error(`'${wanted}' is no name that a certificate of '${name}' can have`);
    }
  }
}

function fits(user: LinkUser, certificate: X509Certificate | undefined): boolean {
  if (!certificate) return user.right === 'read' && !user.certificate;
  if (!user.certificate) return true;
  const subject = certificate.subjectAltName === undefined ? 'always' : 'never';
  return user.certificate.some(
    (name) => certificate.checkHost(name, { subject, wildcards: false }) !== undefined,
  );
}
