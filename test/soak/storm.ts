/** Faults of all kinds, one after another, each for a while: what is broken is mended again. */
import { writeFileSync } from 'node:fs';
import { type SmallDisk } from '../journal/small-disk.js';
import type { Chance, Faults } from '../truth/faults.js';
import { ROLES } from '../truth/faults.js';
import { policyText } from '../truth/plan.js';
import type { World } from '../truth/world.js';

/** A valve takes a silent server for dead after 10 s; what is written to it just then is lost. */
const SILENCE = 9000;

type Act = () => void | Promise<void>;

export class Storm {
  readonly #world: World;
  readonly #faults: Faults;
  readonly #chance: Chance;
  readonly #disk: SmallDisk | undefined;
  /** What is broken now, and the timer that mends it. */
  readonly #broken = new Map<string, { timer: NodeJS.Timeout; mend: () => void }>();
  #revision = 1;
  /** Supervisors that ended by themselves. */
  ends = 0;

  constructor(world: World, faults: Faults, chance: Chance, disk: SmallDisk | undefined) {
    this.#world = world;
    this.#faults = faults;
    this.#chance = chance;
    this.#disk = disk;
  }

  /** One fault, or several at once. */
  async strike(): Promise<void> {
    if (this.#world.relay.over) this.#startAgain();
    const acts: readonly (readonly [number, Act])[] = [
      [28, () => void this.#faults.kill(this.#chance.pick(ROLES))],
      [14, () => this.#faults.stop(this.#chance.pick(ROLES), this.#chance.between(50, 1500))],
      [2, () => this.#faults.stop('supervisor', this.#chance.between(50, 1500))],
      [6, () => this.#killSeveral()],
      [14, () => this.#troubleSource()],
      [14, () => this.#troubleSink()],
      [6, () => this.#reload(true)],
      [3, () => this.#reload(false)],
      [3, () => this.#fillDisk()],
      [3, () => this.#restart(true)],
      [2, () => this.#restart(false)],
    ];
    let at = this.#chance.between(
      1,
      acts.reduce((sum, [weight]) => sum + weight, 0),
    );
    for (const [weight, act] of acts) {
      at -= weight;
      if (at > 0) continue;
      await act();
      return;
    }
  }

  /** Mends everything at once, and waits for what was stopped. */
  calm(): void {
    for (const { timer, mend } of this.#broken.values()) {
      clearTimeout(timer);
      mend();
    }
    this.#broken.clear();
    if (this.#world.relay.over) this.#startAgain();
    this.#reload(true);
  }

  #break(what: string, ms: number, kind: string, begin: () => void, mend: () => void): void {
    if (this.#broken.has(what)) return;
    this.#faults.note(kind);
    begin();
    const timer = setTimeout(() => {
      this.#broken.delete(what);
      mend();
    }, ms);
    this.#broken.set(what, { timer, mend });
  }

  #killSeveral(): void {
    for (let i = this.#chance.between(2, 5); i > 0; i--)
      this.#faults.kill(this.#chance.pick(ROLES));
  }

  #troubleSource(): void {
    const chance = this.#chance;
    const source = chance.pick(this.#world.sources);
    const what = `source ${source.index}`;
    const how = chance.pick(['fin', 'reset', 'fin', 'reset', 'refuse', 'hang', 'mood'] as const);
    const ms = chance.between(200, 8000);
    if (how === 'hang') {
      const silence = chance.between(500, 14_000);
      const begin = (): void => void (source.hung = true);
      this.#break(what, silence, 'lower hangs', begin, () => {
        if (silence > SILENCE) source.disturb();
        source.hung = false;
      });
    } else if (how === 'refuse') {
      const begin = (): void => {
        source.refuse();
        source.drop(chance.pick(['fin', 'reset']));
      };
      this.#break(what, ms, 'lower refuses', begin, () => void source.listen());
    } else if (how === 'mood') {
      const mood = chance.pick(['silent', 'garbage', 'reset'] as const);
      const begin = (): void => {
        source.mood = mood;
        source.drop('fin');
      };
      this.#break(what, ms, `lower ${mood}`, begin, () => void (source.mood = 'well'));
    } else if (!this.#broken.has(what)) {
      this.#faults.note(`lower ${how}`);
      source.drop(how);
    }
  }

  #troubleSink(): void {
    const chance = this.#chance;
    const sink = chance.pick(this.#world.sinks);
    const what = `sink ${sink.channel}`;
    const how = chance.pick(['fin', 'reset', 'fin', 'reset', 'refuse', 'mute', 'mood'] as const);
    const ms = chance.between(200, 15_000);
    const mend = (): void => void (sink.mood = 'well');
    if (how === 'refuse') {
      const begin = (): void => {
        sink.refuse();
        sink.drop(chance.pick(['fin', 'reset']));
      };
      this.#break(what, ms, 'upper refuses', begin, () => void sink.listen());
    } else if (how === 'mute') {
      this.#break(what, ms, 'upper hangs', () => void (sink.mood = 'mute'), mend);
    } else if (how === 'mood') {
      const mood = chance.pick(['silent', 'garbage', 'reset'] as const);
      const begin = (): void => {
        sink.mood = mood;
        sink.drop('fin');
      };
      this.#break(what, ms, `upper ${mood}`, begin, mend);
    } else if (!this.#broken.has(what)) {
      this.#faults.note(`upper ${how}`);
      sink.drop(how);
    }
  }

  #reload(good: boolean): void {
    const { relay, policy } = this.#world;
    if (this.#broken.has('disk')) return;
    if (good) writeFileSync(policy, policyText(++this.#revision));
    // SIGHUP ends a supervisor that has not begun to listen to it.
    if (relay.over || relay.pid('supervisor') !== relay.process.pid) return;
    const bad = ['', 'rules: [', policyText(1).replace('class: 30', 'class: x'), '\0'.repeat(999)];
    if (!good) writeFileSync(policy, this.#chance.pick(bad));
    this.#faults.note(good ? 'reload' : 'bad reload');
    relay.process.kill('SIGHUP');
  }

  #fillDisk(): void {
    const disk = this.#disk;
    if (!disk) return;
    const ms = this.#chance.between(500, 6000);
    this.#break(
      'disk',
      ms,
      'disk full',
      () => disk.fill(),
      () => disk.free(),
    );
  }

  async #restart(byKill: boolean): Promise<void> {
    if (this.#broken.has('disk')) return;
    writeFileSync(this.#world.policy, policyText(++this.#revision));
    if (byKill) await this.#faults.killSupervisor();
    else await this.#faults.restart();
  }

  /** A supervisor that ended without being told is a fault of its own. */
  #startAgain(): void {
    this.ends++;
    for (const source of this.#world.sources) source.disturb();
    writeFileSync(this.#world.policy, policyText(++this.#revision));
    this.#world.start();
  }
}
