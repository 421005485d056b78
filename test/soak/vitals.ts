/** Resident memory by role: at first, now, and at most. */
import type { World } from '../truth/world.js';

const LOOK_EVERY = 1000;
/** What processes hold when this many seconds have gone is what they began with. */
const FIRST = 60;

interface Vital {
  first: number;
  now: number;
  most: number;
}

export class Vitals {
  readonly #roles = new Map<string, Vital>();
  readonly #world: World;
  readonly #timer: NodeJS.Timeout;
  readonly #begun = performance.now();

  constructor(world: World) {
    this.#world = world;
    this.#timer = setInterval(() => this.#look(), LOOK_EVERY);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** One line: MiB now and at most. */
  describe(): string {
    return this.#sorted()
      .map(([role, { now, most }]) => `${role} ${mebi(now)}/${mebi(most)}`)
      .join(' ');
  }

  /** By role: MiB at first, last, and at most. */
  rows(): string[][] {
    return this.#sorted().map(([role, { first, now, most }]) => [
      role,
      mebi(first),
      mebi(now),
      mebi(most),
    ]);
  }

  /** Roles of which a process was ever larger than that many bytes. */
  beyond(bound: number): string[] {
    return this.#sorted()
      .filter(([, { most }]) => most > bound)
      .map(([role]) => role);
  }

  #sorted(): [string, Vital][] {
    return [...this.#roles].sort(([a], [b]) => a.localeCompare(b));
  }

  #look(): void {
    const now = new Map<string, number>([['(soak)', process.memoryUsage.rss()]]);
    for (const { process: role, memory = 0 } of this.#world.relay.supervisor()?.processes ?? []) {
      now.set(role, Math.max(memory, now.get(role) ?? 0));
    }
    const early = performance.now() - this.#begun < FIRST * 1000;
    for (const [role, bytes] of now) {
      const vital = this.#roles.get(role) ?? { first: 0, now: 0, most: 0 };
      vital.now = bytes;
      vital.most = Math.max(vital.most, bytes);
      if (early || vital.first === 0) vital.first = Math.max(vital.first, bytes);
      this.#roles.set(role, vital);
    }
  }
}

function mebi(bytes: number): string {
  return String(Math.round(bytes / 2 ** 20));
}
