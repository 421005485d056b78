/** Decides events in their binary form against compiled policies, without allocating. */
import {
  CLASS,
  DATA,
  DATE_FORM,
  GUID,
  HEAD,
  OBID,
  priorityOf,
  readU16,
  SIZE,
  STAMP_HIGH,
  TYPE,
  writeU16,
  writeU32,
} from '../event/layout.js';
import type { Compiled } from './compile.js';

/** The rule of a denial that no forbid explains: nothing permits the event. */
export const DEFAULT_DENY = -1;

export class Engine {
  readonly compiled: Compiled;
  /** After `decide`: by channel, the rule that permitted it; valid where the result has its bit. */
  readonly permittedBy: Int32Array;
  /** After `decide` returned 0: the forbid that won, or DEFAULT_DENY. */
  deniedBy = DEFAULT_DENY;

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
  readonly #emit: Uint8Array;

  constructor(compiled: Compiled) {
    const { arms, scope } = compiled;
    this.compiled = compiled;
    this.permittedBy = new Int32Array(Math.max(scope.channels.length, 1));
    this.#rule = Int32Array.from(arms, ({ rule }) => rule);
    this.#permit = Uint8Array.from(arms, ({ permit }) => Number(permit));
    this.#channels = Int32Array.from(arms, ({ channels }) => channels);
    this.#priorities = Uint8Array.from(arms, ({ priorities }) => priorities);
    this.#sourceCount = scope.sources.length;
    this.#sources = Uint8Array.from(arms.flatMap(({ sources }) => [...sources]));
    this.#guids = Int32Array.from(arms.flatMap(({ guids }) => [...guids]));
    this.#guidEnd = new Int32Array(arms.length);
    this.#guidStart = new Int32Array(arms.length);
    let at = 0;
    arms.forEach(({ guids }, i) => {
      this.#guidStart[i] = at;
      at += guids.length;
      this.#guidEnd[i] = at;
    });
    this.#emit = Uint8Array.from(
      compiled.rules,
      ({ emit }) =>
        (emit.priority ? PRIORITY : 0) |
        (emit.guid ? GUIDS : 0) |
        (emit.time ? TIME : 0) |
        (emit.data ? BYTES : 0),
    );
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
   * @returns one bit for each channel that it may go to
   */
  decide(body: Uint8Array, at: number, source: number): number {
    const { classGroup, typeGroup, typeGroups, pairs, lists } = this.compiled;
    const pair =
      classGroup[readU16(body, at + CLASS)]! * typeGroups + typeGroup[readU16(body, at + TYPE)]!;
    const list = pairs[pair]!;
    this.deniedBy = DEFAULT_DENY;
    if (list === 0) return 0;
    const priority = 1 << priorityOf(readU16(body, at + HEAD));
    let forbidden = 0;
    let permitted = 0;
    const end = list + 1 + lists[list]!;
    for (let i = list + 1; i < end; i++) {
      const arm = lists[i]!;
      if ((this.#priorities[arm]! & priority) === 0) continue;
      if (this.#sources[arm * this.#sourceCount + source] === 0) continue;
      const channels = this.#channels[arm]!;
      if (this.#permit[arm] === 1) {
        const fresh = channels & ~forbidden & ~permitted;
        if (fresh === 0 || !this.#matchesGuid(body, at, arm)) continue;
        permitted |= fresh;
        for (let bits = fresh; bits !== 0; bits &= bits - 1) {
          this.permittedBy[31 - Math.clz32(bits & -bits)] = this.#rule[arm]!;
        }
      } else if (this.#matchesGuid(body, at, arm)) {
        if (this.deniedBy === DEFAULT_DENY) this.deniedBy = this.#rule[arm]!;
        forbidden |= channels;
      }
    }
    return permitted;
  }

  /**
   * Rebuilds a permitted event in place as `rule` sends it: head is the priority alone, obid is 0,
   * and what the rule does not keep is zero.
   *
   * @returns the length of the binary form
   */
  rebuild(body: Uint8Array, at: number, rule: number): number {
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

  #matchesGuid(body: Uint8Array, at: number, arm: number): boolean {
    const start = this.#guidStart[arm]!;
    const end = this.#guidEnd[arm]!;
    if (start === end) return true;
    const guids = this.#guids;
    const from = at + GUID;
    for (let i = start; i < end; i += 8) {
      if (
        ((word(body, from) ^ guids[i]!) & guids[i + 1]!) === 0 &&
        ((word(body, from + 4) ^ guids[i + 2]!) & guids[i + 3]!) === 0 &&
        ((word(body, from + 8) ^ guids[i + 4]!) & guids[i + 5]!) === 0 &&
        ((word(body, from + 12) ^ guids[i + 6]!) & guids[i + 7]!) === 0
      ) {
        return true;
      }
    }
    return false;
  }
}

const PRIORITY = 1;
const GUIDS = 2;
const TIME = 4;
const BYTES = 8;

function word(body: Uint8Array, at: number): number {
  return (body[at]! << 24) | (body[at + 1]! << 16) | (body[at + 2]! << 8) | body[at + 3]!;
}
