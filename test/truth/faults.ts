/** Faults by chance, the same for the same seed: kills and stops of a relay's processes. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { holderOf } from '../../src/wire/lock.js';
import { SOURCES, UPPERS } from './plan.js';
import { PATIENCE } from '../scenario/relay.js';
import type { World } from './world.js';

export const ROLES = ['lower', 'valve', 'gate', 'dial', 'upper'] as const;
export type Role = (typeof ROLES)[number];

/** Chance by a seed. */
export class Chance {
  readonly #random: () => number;

  constructor(random: () => number) {
    this.#random = random;
  }

  /** An integer from `least` to `most`. */
  between(least: number, most: number): number {
    return least + Math.floor(this.#random() * (most - least + 1));
  }

  pick<T>(choices: readonly T[]): T {
    return choices[this.between(0, choices.length - 1)]!;
  }

  /** Whether one thing in `many` happens. */
  once(many: number): boolean {
    return this.between(1, many) === 1;
  }
}

export class Faults {
  /** By kind: how many there were. */
  readonly counts = new Map<string, number>();
  readonly #world: World;
  readonly #chance: Chance;
  readonly #stopped = new Set<number>();

  constructor(world: World, chance: Chance) {
    this.#world = world;
    this.#chance = chance;
  }

  /** Processes killed so far, supervisors included. */
  get kills(): number {
    let total = 0;
    for (const [kind, count] of this.counts) if (kind.startsWith('kill ')) total += count;
    return total;
  }

  note(kind: string): void {
    this.counts.set(kind, (this.counts.get(kind) ?? 0) + 1);
  }

  /** kill -9 of one process of a role; false where there is none just now. */
  kill(role: Role): boolean {
    const found = this.#find(role);
    if (!found) return false;
    this.#disturb(role, found.index);
    if (!signal(found.pid, 'SIGKILL')) return false;
    this.note(`kill ${role}`);
    return true;
  }

  /** SIGSTOP of one process, and SIGCONT `ms` later. */
  stop(role: Role | 'supervisor', ms: number): void {
    const pid = role === 'supervisor' ? this.#world.relay.process.pid : this.#find(role)?.pid;
    if (pid === undefined || this.#stopped.has(pid) || !signal(pid, 'SIGSTOP')) return;
    // A connection that it was about to hand over may be given up for its lateness.
    if (role === 'supervisor' || role === 'lower') this.#disturb(role, -1);
    this.note(`stop ${role}`);
    this.#stopped.add(pid);
    setTimeout(() => {
      this.#stopped.delete(pid);
      signal(pid, 'SIGCONT');
      if (role === 'supervisor' || role === 'lower') this.#disturb(role, -1);
    }, ms);
  }

  /** Whether a process is stopped now. */
  get stopping(): boolean {
    return this.#stopped.size > 0;
  }

  /** kill -9 of the supervisor, with which all its processes end, and a new one on its directory. */
  async killSupervisor(meanwhile: () => void = () => undefined): Promise<void> {
    this.#disturb('supervisor', -1);
    await this.#world.relay.kill();
    this.note('kill supervisor');
    await this.#untilGone();
    meanwhile();
    this.#disturb('supervisor', -1);
    this.#world.start();
  }

  /** SIGTERM, and a new supervisor. */
  async restart(): Promise<void> {
    this.#disturb('supervisor', -1);
    await this.#world.relay.stop();
    this.note('restart');
    this.#world.start();
  }

  /**
   * Connections are closed by the kernel when the last valve is gone, the journals when the gate is.
   *
   * @throws Error if the gate does not end: whatever is done to its files then is no power cut
   */
  async #untilGone(): Promise<void> {
    const begun = Date.now();
    const lock = join(this.#world.state, 'supervisor', 'gate.lock');
    const held = (): boolean => holderOf(lock) !== undefined;
    const watched = (): boolean => this.#world.sources.some((source) => source.watched);
    while (held() || (watched() && Date.now() - begun < 2000)) {
      if (Date.now() - begun > PATIENCE) throw new Error('the gate of a killed relay lives on');
      await sleep(5);
    }
  }

  #disturb(role: Role | 'supervisor', index: number): void {
    if (role === 'gate') for (const source of this.#world.sources) source.disturbEnded();
    if (role === 'gate' || role === 'upper' || role === 'dial') return;
    this.#world.sources.forEach((source, i) => {
      if (index < 0 || i === index) source.disturb();
    });
  }

  /** One of the processes of a role, by what the status says and the kernel confirms. */
  #find(role: Role): { pid: number; index: number } | undefined {
    const names: readonly (string | undefined)[] =
      role === 'gate' ? [undefined] : role === 'lower' || role === 'valve' ? SOURCES : UPPERS;
    const index = this.#chance.between(0, names.length - 1);
    const pid = this.#world.relay.pid(role, names[index]);
    if (pid === undefined || !runs(pid, role)) return undefined;
    return { pid, index };
  }
}

function runs(pid: number, role: string): boolean {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'latin1').includes(`/${role}/main.js`);
  } catch {
    return false;
  }
}

function signal(pid: number, name: NodeJS.Signals): boolean {
  try {
    return process.kill(pid, name);
  } catch {
    return false;
  }
}
