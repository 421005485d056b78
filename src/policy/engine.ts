/** Decides events in their binary form against compiled policies, without allocating. */
import { isMeasurement } from '../event/carries.js';
import { decodeFields, Fields } from '../event/fields.js';
import {
  CLASS,
  DATA,
  DATE_FORM,
  GUID,
  HEAD,
  OBID,
  priorityOf,
  readU16,
  readWord,
  SIZE,
  STAMP_HIGH,
  TYPE,
  writeU16,
  writeU32,
} from '../event/layout.js';
import type { Compiled } from './compile.js';
import type { Keyring } from './pseudonym.js';
import { concatenate, GuidIndex, MANY } from './guid-index.js';
import type { Outlet, Times } from './outlet.js';
import { makeOutlets } from './outlets.js';
import { EMITTED, type Sink } from './outcome.js';
import { isOpen } from './schedule.js';
import { Budget } from './streams.js';

/** The rule of a denial that no forbid explains: nothing permits the event. */
export const DEFAULT_DENY = -1;
/** What `decide` returns for a value that is no number: such an event is refused, not matched. */
export const NOT_FINITE = -1;

const MINUTE = 60_000;
/** A clock that is set back by less, ms, is a clock that is being adjusted. */
const ADJUSTED = 1000;

/** How an engine begins. */
export interface Beginning {
  /** The machine's clock, ms since 1970. */
  readonly now: number;
  /** Rate buckets are full and no clock was before, as of a relay that has been running for long. */
  readonly settled?: boolean;
  readonly budget?: Budget;
}

export class Engine implements Times {
  readonly compiled: Compiled;
  /** After `decide`: by channel, the rule that permitted it; valid where the result has its bit. */
  readonly permittedBy: Int32Array;
  /** After `decide` returned 0: the forbid that won, or DEFAULT_DENY. */
  deniedBy = DEFAULT_DENY;
  /** After `decide`: what the event's data carries, if its class is a measurement. */
  readonly fields = new Fields();

  readonly #rule: Int32Array;
  readonly #permit: Uint8Array;
  readonly #channels: Int32Array;
  readonly #priorities: Uint8Array;
  readonly #sources: Uint8Array;
  readonly #sourceCount: number;
  /** Where the GUID alternatives of an arm begin and end in `#guids`. */
  readonly #guidStart: Int32Array;
  readonly #guidEnd: Int32Array;
  readonly #guids: Int32Array;
  /** By arm: for many alternatives, a table of them. */
  readonly #indices: readonly (GuidIndex | undefined)[];
  /** By arm: whether its schedule is open and its rule has not expired. */
  readonly #active: Uint8Array;
  /** By arm: whether it asks something of the data. */
  readonly #asks: Uint8Array;
  /** Arms of which `#active` changes with time. */
  readonly #timed: readonly number[];
  /** By rule: what a plain one keeps, and whether it is urgent. */
  readonly #emit: Uint8Array;
  readonly #channelCount: number;
  /** By rule * channels + channel; undefined: the rule sends fields as they are, or zero. */
  readonly #outlets: readonly (Outlet | undefined)[];
  readonly #windowed: readonly Outlet[];
  readonly #periods: readonly number[];
  /** By which windows end: never goes back; ms since 1970. */
  #clock: number;
  /** The machine's, which may be set back. */
  #now: number;
  /** Grows as the machine's does, and stands where that is set back: for rates and silence. */
  #elapsed: number;
  #behind = false;
  #minute = NaN;
  /** When the next windows end. */
  #due = Infinity;

  /**
   * @param keyring gives the keys of pseudonyms
   * @throws Error of the keyring
   */
  constructor(compiled: Compiled, keyring: Keyring, beginning: Beginning) {
    const { arms, scope, rules } = compiled;
    this.compiled = compiled;
    this.#clock = this.#now = this.#elapsed = beginning.now;
    this.permittedBy = new Int32Array(Math.max(scope.channels.length, 1));
    this.#rule = Int32Array.from(arms, ({ rule }) => rule);
    this.#permit = Uint8Array.from(arms, ({ permit }) => Number(permit));
    this.#channels = Int32Array.from(arms, ({ channels }) => channels);
    this.#priorities = Uint8Array.from(arms, ({ priorities }) => priorities);
    this.#sourceCount = scope.sources.length;
    this.#sources = Uint8Array.from(arms.flatMap(({ sources }) => [...sources]));
    const few = arms.map(({ guids }) => (guids.length < 8 * MANY ? guids : NO_GUIDS));
    this.#guids = concatenate(few);
    this.#guidEnd = new Int32Array(arms.length);
    this.#guidStart = new Int32Array(arms.length);
    let at = 0;
    few.forEach((guids, i) => {
      this.#guidStart[i] = at;
      at += guids.length;
      this.#guidEnd[i] = at;
    });
    // Rules that share a list share its table.
    const tables = new Map<Int32Array, GuidIndex>();
    this.#indices = arms.map(({ guids }) => {
      if (guids.length < 8 * MANY) return undefined;
      const table = tables.get(guids) ?? new GuidIndex(guids);
      tables.set(guids, table);
      return table;
    });
    this.#asks = Uint8Array.from(arms, ({ data }) => Number(data !== undefined));
    this.#active = new Uint8Array(arms.length).fill(1);
    this.#timed = [...arms.keys()].filter(
      (arm) => arms[arm]!.schedule !== undefined || arms[arm]!.expires < Infinity,
    );
    this.#emit = Uint8Array.from(
      rules,
      ({ emit, urgent }) =>
        (emit.priority === 'keep' ? PRIORITY : 0) |
        (emit.guid === 'keep' ? GUIDS : 0) |
        (emit.time === 'keep' ? TIME : 0) |
        (emit.data === 'keep' ? BYTES : 0) |
        (urgent ? URGENT : 0),
    );
    this.#channelCount = scope.channels.length;
    const since = beginning.settled === true ? -Infinity : beginning.now;
    const budget = beginning.budget ?? new Budget();
    this.#outlets = makeOutlets(compiled, keyring, budget, beginning.now, since);
    this.#windowed = this.#outlets.filter(
      (outlet) => outlet?.rule.emit.window !== undefined,
    ) as Outlet[];
    this.#periods = [...new Set(rules.flatMap(({ emit }) => emit.window?.every ?? []))];
    this.#setDue();
    this.#openArms(beginning.now);
  }

  /** By number, as records name them. */
  get ruleNames(): string[] {
    return this.compiled.rules.map(({ name }) => name);
  }

  /** The clock was there already: a window that ended before `time` is not opened again. */
  notBefore(time: number): void {
    this.#clock = Math.max(this.#clock, time);
    this.#setDue();
  }

  /**
   * Takes over what rules remember that are the same in an engine that this one replaces; the open
   * windows of all others are given up and counted.
   */
  inherit(from: Engine, sink: Pick<Sink, 'count'>): void {
    const own = new Map(this.#outlets.map((outlet) => [outlet?.signature, outlet]));
    for (const outlet of from.#outlets) {
      if (!outlet) continue;
      const heir = own.get(outlet.signature);
      if (heir) heir.memory = outlet.memory;
      else outlet.interrupt(sink);
    }
    this.#clock = Math.max(this.#clock, from.#clock);
    this.#elapsed = Math.max(this.#elapsed, from.#elapsed);
    this.#now = from.#now;
    this.#setDue();
  }

  /**
   * Turns to the time at which the next events are decided, and ends the windows that are over.
   *
   * @param now the machine's clock, ms since 1970
   * @returns false while the sink takes no more: to be called again
   */
  advance(now: number, sink: Sink): boolean {
    const behind = now < this.#clock - ADJUSTED;
    if (behind && !this.#behind) this.interrupt(sink);
    this.#behind = behind;
    if (now > this.#clock) this.#clock = now;
    this.#elapsed += Math.max(0, now - this.#now);
    this.#now = now;
    if (Math.floor(now / MINUTE) !== this.#minute) {
      this.#openArms(now);
      // What an expired rule has gathered is not sent any more.
      for (const outlet of this.#windowed) if (now >= outlet.rule.expires) outlet.interrupt(sink);
    }
    if (this.#clock < this.#due) return true;
    for (const outlet of this.#windowed) if (!outlet.close(this, sink)) return false;
    this.#setDue();
    return true;
  }

  /** Gives up the windows that are open. */
  interrupt(sink: Pick<Sink, 'count'>): void {
    for (const outlet of this.#windowed) outlet.interrupt(sink);
  }

  /** What a channel was sent last did not get there: its deadbands send the next value. */
  forget(channel: number): void {
    for (const outlet of this.#outlets) {
      if (outlet?.channel === channel && outlet.rule.emit.deadband) outlet.memory.clear();
    }
  }

  /** Whether the machine's clock has been set back behind the one of the windows. */
  get behind(): boolean {
    return this.#behind;
  }

  get clock(): number {
    return this.#clock;
  }

  get now(): number {
    return this.#now;
  }

  get elapsed(): number {
    return this.#elapsed;
  }

  /** When the next of the windows that are open ends, ms since 1970; Infinity if none is. */
  nextEnd(): number {
    let next = Infinity;
    for (const outlet of this.#windowed) next = Math.min(next, outlet.ends);
    return next;
  }

  /** Windows begin at multiples of their length: so do those that end next; some may be overdue. */
  #setDue(): void {
    this.#due = this.nextEnd();
    for (const every of this.#periods) {
      this.#due = Math.min(this.#due, (Math.floor(this.#clock / every) + 1) * every);
    }
  }

  #openArms(now: number): void {
    const { arms } = this.compiled;
    this.#minute = Math.floor(now / MINUTE);
    for (const arm of this.#timed) {
      const { schedule, expires } = arms[arm]!;
      this.#active[arm] = Number(now < expires && (!schedule || isOpen(schedule, now)));
    }
    for (const outlet of this.#outlets) outlet?.sweep(this.#elapsed);
  }

  /**
   * Whether any rule can permit an event of this class and type: if not, the rest is not read, and
   * `deniedBy` says which forbid covers them.
   */
  canPermit(vscpClass: number, type: number): boolean {
    const { classGroup, typeGroup, typeGroups, hasPermit, covering } = this.compiled;
    const pair = classGroup[vscpClass]! * typeGroups + typeGroup[type]!;
    if (hasPermit[pair] === 1) return true;
    this.deniedBy = covering[pair]!;
    return false;
  }

  /**
   * Decides the event whose binary form stands at `at`.
   *
   * @param source index into the scope's sources
   * @returns one bit for each channel that it may go to, or NOT_FINITE
   */
  decide(body: Uint8Array, at: number, source: number): number {
    const { classGroup, typeGroup, typeGroups, pairs, lists } = this.compiled;
    const vscpClass = readU16(body, at + CLASS);
    const pair = classGroup[vscpClass]! * typeGroups + typeGroup[readU16(body, at + TYPE)]!;
    const list = pairs[pair]!;
    this.deniedBy = DEFAULT_DENY;
    let known = isMeasurement(vscpClass);
    if (known) {
      decodeFields(body, at, this.fields);
      if (this.fields.notFinite) return NOT_FINITE;
    }
    if (list === 0) return 0;
    const priority = 1 << priorityOf(readU16(body, at + HEAD));
    let forbidden = 0;
    let permitted = 0;
    const end = list + 1 + lists[list]!;
    for (let i = list + 1; i < end; i++) {
      const arm = lists[i]!;
      if ((this.#priorities[arm]! & priority) === 0) continue;
      if (this.#sources[arm * this.#sourceCount + source] === 0) continue;
      if (this.#active[arm] === 0) continue;
      const channels = this.#channels[arm]!;
      if (this.#permit[arm] === 1) {
        const fresh = channels & ~forbidden & ~permitted;
        if (fresh === 0 || !this.#matchesGuid(body, at, arm)) continue;
        if (this.#asks[arm] === 1) {
          if (!known) decodeFields(body, at, this.fields);
          known = true;
          if (!this.#matchesData(body, at, arm)) continue;
        }
        permitted |= fresh;
        for (let bits = fresh; bits !== 0; bits &= bits - 1) {
          this.permittedBy[31 - Math.clz32(bits & -bits)] = this.#rule[arm]!;
        }
      } else if (this.#matchesGuid(body, at, arm)) {
        if (this.#asks[arm] === 1) {
          if (!known) decodeFields(body, at, this.fields);
          known = true;
          if (!this.#matchesData(body, at, arm)) continue;
        }
        if (this.deniedBy === DEFAULT_DENY) this.deniedBy = this.#rule[arm]!;
        forbidden |= channels;
      }
    }
    return permitted;
  }

  /**
   * Sends the event that `decide` has permitted for a channel, or keeps it back, as its rule says.
   *
   * @param sink has been opened for the channel
   * @returns what became of it, as an index of OUTCOMES
   */
  pass(body: Uint8Array, at: number, channel: number, source: number, sink: Sink): number {
    const rule = this.permittedBy[channel]!;
    const outlet = this.#outlets[rule * this.#channelCount + channel];
    if (outlet) {
      return outlet.take(body, at, this.fields, source, this, sink);
    }
    const { buffer, at: to } = sink;
    const length = DATA + readU16(body, at + SIZE);
    for (let i = 0; i < length; i++) buffer[to + i] = body[at + i]!;
    const rebuilt = this.#rebuild(buffer, to, rule);
    const urgent =
      (this.#emit[rule]! & URGENT) !== 0 || priorityOf(readU16(buffer, to + HEAD)) === 0;
    sink.append(rebuilt, source, rule, false, urgent);
    return EMITTED;
  }

  /**
   * Rebuilds an event in place as a plain rule sends it: head is the priority alone, obid is 0,
   * and what the rule does not keep is zero.
   *
   * @returns the length of the binary form
   */
  #rebuild(body: Uint8Array, at: number, rule: number): number {
    const emit = this.#emit[rule]!;
    const head = readU16(body, at + HEAD);
    writeU16(body, at + HEAD, (emit & PRIORITY) === 0 ? 0 : head & 0xe0);
    writeU32(body, at + OBID, 0);
    if ((emit & TIME) === 0) {
      body.fill(0, at + STAMP_HIGH, at + GUID);
      body.fill(0, at + DATE_FORM, at + DATA);
    }
    if ((emit & GUIDS) === 0) body.fill(0, at + GUID, at + GUID + 16);
    if ((emit & BYTES) === 0) writeU16(body, at + SIZE, 0);
    return DATA + readU16(body, at + SIZE);
  }

  #matchesData(body: Uint8Array, at: number, arm: number): boolean {
    return this.compiled.arms[arm]!.data!.match(this.fields, readU16(body, at + SIZE));
  }

  #matchesGuid(body: Uint8Array, at: number, arm: number): boolean {
    const index = this.#indices[arm];
    if (index) return index.has(body, at + GUID);
    const start = this.#guidStart[arm]!;
    const end = this.#guidEnd[arm]!;
    if (start === end) return true;
    const guids = this.#guids;
    const from = at + GUID;
    for (let i = start; i < end; i += 8) {
      if (
        ((readWord(body, from) ^ guids[i]!) & guids[i + 1]!) === 0 &&
        ((readWord(body, from + 4) ^ guids[i + 2]!) & guids[i + 3]!) === 0 &&
        ((readWord(body, from + 8) ^ guids[i + 4]!) & guids[i + 5]!) === 0 &&
        ((readWord(body, from + 12) ^ guids[i + 6]!) & guids[i + 7]!) === 0
      ) {
        return true;
      }
    }
    return false;
  }
}

const NO_GUIDS = new Int32Array(0);

const PRIORITY = 1;
const GUIDS = 2;
const TIME = 4;
const BYTES = 8;
const URGENT = 16;
