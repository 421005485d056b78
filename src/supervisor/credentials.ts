/**
 * Certificates and key of an upper: kept open as they were last found right, replaced when the files
 * are, watched for their expiry.
 */
import { closeSync, constants, fstatSync, openSync, readSync, statSync } from 'node:fs';
import type { FileReference, UpperConfig } from '../config/config.js';
import { DocumentError } from '../document/document.js';
import { openSecret } from '../config/secret.js';
import { checkExpiry, checkTls, type Expiry } from '../config/tls.js';
import type { Logger } from '../wire/log.js';
import type { CertificateStatus } from '../wire/status.js';

/** Warned of before it is too late, days. */
export const WARNING_DAYS = 30;
const DAY = 86_400_000;
/** Errors that are none of the file's. */
const PASSING: ReadonlySet<string> = new Set(['EMFILE', 'ENFILE', 'ENOMEM', 'EIO', 'EAGAIN']);
const PARTS = ['ca', 'cert', 'key'] as const;
type Part = (typeof PARTS)[number];
type Standing = 'well' | 'soon' | 'expired';

interface Loaded {
  readonly files: Readonly<Record<Part, number>>;
  readonly expiry: Expiry;
}

export class Credentials {
  readonly #upper: UpperConfig;
  readonly #log: Logger;
  #loaded: Loaded;
  /** What the files looked like when they were last tried, and at the last look. */
  #tried: string;
  #seen: string;
  #refused: { readonly part: 'cert' | 'ca'; readonly reason: string } | undefined;
  readonly #standing: Record<'ca' | 'cert', Standing> = { ca: 'well', cert: 'well' };

  /** @throws DocumentError for what is wrong with the files */
  constructor(upper: UpperConfig, log: Logger, now: number = Date.now()) {
    this.#upper = upper;
    this.#log = log;
    this.#tried = this.#seen = this.#look();
    this.#loaded = this.#load();
    this.#watchExpiry(now);
  }

  /** Descriptors, which stay the supervisor's. */
  get files(): Readonly<Record<Part, number>> {
    return this.#loaded.files;
  }

  get status(): CertificateStatus[] {
    const { name, tls } = this.#upper;
    return (['cert', 'ca'] as const).map((part) => ({
      upper: name,
      part,
      file: tls[part].path,
      expires: this.#loaded.expiry[part],
      ...(this.#refused?.part === part && { refused: this.#refused.reason }),
    }));
  }

  /**
   * Takes other files, once they have stopped changing: a certificate and its key are replaced one
   * after the other. One that has expired is not better than what is there.
   *
   * @returns whether there are others
   */
  refresh(now: number): boolean {
    const look = this.#look();
    const settled = look === this.#seen;
    this.#seen = look;
    this.#watchExpiry(now);
    if (!settled || look === this.#tried) return false;
    this.#tried = look;
    try {
      const before = this.#loaded;
      this.#loaded = this.#load(now);
      for (const fd of Object.values(before.files)) closeSync(fd);
      this.#refused = undefined;
      this.#log.info({ event: 'certificate' }, 'taking other certificates');
      return true;
    } catch (error) {
      const { message, cause = error } = error as Error;
      // What passes by itself is tried again; what is wrong with a file, when it changes.
      if (PASSING.has(String((cause as NodeJS.ErrnoException).code))) this.#tried = '';
      if (message !== this.#refused?.reason) {
        const why = `the certificates before stay: ${message}`;
        this.#log.error({ event: 'certificate-refused' }, why);
      }
      this.#refused = { part: this.#partOf(error), reason: message };
      return false;
    } finally {
      this.#watchExpiry(now);
    }
  }

  /** Of which the status says it: a key is its certificate's. */
  #partOf(error: unknown): 'cert' | 'ca' {
    if (!(error instanceof DocumentError)) return 'cert';
    const { line, column } = this.#upper.tls.ca.field.error('');
    return error.line === line && error.column === column ? 'ca' : 'cert';
  }

  #look(): string {
    const look = PARTS.map((part) => {
      try {
        const found = statSync(this.#upper.tls[part].path);
        return [found.dev, found.ino, found.size, found.mtimeMs, found.ctimeMs];
      } catch (error) {
        // Gone, or in a directory that is closed: what was read stays.
        return (error as NodeJS.ErrnoException).code;
      }
    });
    return JSON.stringify(look);
  }

  /** @param now if given, what has expired is refused; at a start it keeps one link down */
  #load(now?: number): Loaded {
    const { tls } = this.#upper;
    const files: Partial<Record<Part, number>> = {};
    try {
      files.ca = openFile(tls.ca);
      files.cert = openFile(tls.cert);
      files.key = openSecret(tls.key.field, tls.key.path);
      const { ca, cert, key } = files as Record<Part, number>;
      const texts = { ca: read(ca), cert: read(cert), key: read(key) };
      const expiry = checkTls(this.#upper, texts);
      if (now !== undefined) checkExpiry(this.#upper, expiry, now);
      return { files: { ca, cert, key }, expiry };
    } catch (error) {
      for (const fd of Object.values(files)) closeSync(fd);
      throw error;
    }
  }

  /** One line in the log per change. */
  #watchExpiry(now: number): void {
    for (const part of ['cert', 'ca'] as const) {
      const left = this.#loaded.expiry[part] - now;
      const standing = left <= 0 ? 'expired' : left < WARNING_DAYS * DAY ? 'soon' : 'well';
      if (standing === this.#standing[part]) continue;
      this.#standing[part] = standing;
      if (standing === 'well') continue;
      const days = Math.floor(left / DAY);
      const fields = { event: 'certificate-expires', file: this.#upper.tls[part].path, days };
      if (standing === 'expired') this.#log.error(fields, 'a certificate has expired');
      else this.#log.warn(fields, `a certificate expires in ${days} days`);
    }
  }
}

/** Most bytes of a file of certificates. */
const MAX_FILE = 1024 * 1024;

function openFile({ field, path }: FileReference): number {
  let fd;
  try {
    // A FIFO in its place would hold the supervisor for ever.
    fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    const { code = 'error' } = error as NodeJS.ErrnoException;
    throw field.error(`cannot read ${path}: ${code}`, error);
  }
  const found = fstatSync(fd);
  if (found.isFile() && found.size <= MAX_FILE) return fd;
  closeSync(fd);
  throw field.error(`${path} is no file of certificates`);
}

/** From its beginning: the same open file is handed to one process after the other. */
function read(fd: number): string {
  const bytes = Buffer.alloc(fstatSync(fd).size);
  const length = readSync(fd, bytes, 0, bytes.length, 0);
  return bytes.toString('utf8', 0, length);
}
