/** What each numbered event is, and what the policy must make of it: from a seed, and nothing else. */

/** Channel i goes to upper i. */
export const CHANNELS = ['public', 'other'] as const;
export const SOURCES = ['a', 'b'] as const;
export const UPPERS = ['north', 'south'] as const;

export type Kind = 'both' | 'one' | 'two' | 'denied' | 'malformed';

const GUID = 'FF:FF:FF:FF:FF:FF:FF:FE:B8:27:EB:10:00:00:00:0';
/** Of what goes up on the second channel by the third rule: it tells the source, and hides the rest. */
const OTHER = '00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:A';
/** Its data mean nothing: those of a measurement may be no number. */
const CLASS = 30;
const TYPES = { both: 1, one: 2, two: 3 } as const;
const STAMP = '2026-11-22T08:00:00Z';
/** One event of so many has priority 0. */
const URGENT_SHARE = 12;

/** The policy under which all that is below is true; other revisions of it change nothing. */
export function policyText(revision: number): string {
  const emit = (source: number): string =>
    `emit: { priority: keep, guid: "${OTHER}${source + 1}", data: keep, time: keep }`;
  return `schema: tidegate-policy/v1
policy: { id: truth, revision: ${revision} }
rules:
  - { name: both, effect: permit, to: [public, other], match: { class: ${CLASS}, type: 1 } }
  - { name: one, effect: permit, to: [public], match: { class: ${CLASS}, type: 2 } }
${SOURCES.map(
  (name, source) =>
    `  - { name: two-${name}, effect: permit, to: [other], match: { source: ${name}, class: ${CLASS}, type: 3 }, ${emit(source)} }\n`,
).join('')}  - { name: never, effect: forbid, match: { class: 20 } }
  - { name: unused-${revision}, effect: permit, to: [public], match: { class: 500, type: ${revision % 1000} } }
`;
}

function mix(value: number): number {
  let h = value >>> 0;
  h = Math.imul(h ^ (h >>> 16), 0x21f0aaad);
  h = Math.imul(h ^ (h >>> 15), 0x735a2d97);
  return (h ^ (h >>> 15)) >>> 0;
}

export class Plan {
  readonly #seed: number;

  constructor(seed: number) {
    this.#seed = mix(seed);
  }

  /** What event `n`, from 1 on, of a source is. */
  kind(source: number, n: number): Kind {
    const part = this.#hash(source, n) % 100;
    if (part < 6) return 'malformed';
    if (part < 25) return 'denied';
    if (part < 45) return 'both';
    return part < 75 ? 'one' : 'two';
  }

  urgent(source: number, n: number): boolean {
    return this.#priority(this.#hash(source, n)) === 0;
  }

  /** Whether the policy sends it to that channel. */
  goes(source: number, n: number, channel: number): boolean {
    const kind = this.kind(source, n);
    return kind === 'both' || kind === (channel === 0 ? 'one' : 'two');
  }

  /** The line in which the lower server sends it, its ending included. */
  line(source: number, n: number): string {
    const hash = this.#hash(source, n);
    const kind = this.kind(source, n);
    const head = (this.#priority(hash) << 5) | ((hash >>> 20) & 0x0f);
    const tail = `${STAMP},${n},${GUID}${source + 1}${this.#data(hash)}`;
    if (kind === 'malformed') return `${this.#malformed(hash, n)}\r\n`;
    const pair =
      kind === 'denied'
        ? (hash & 0x4000) === 0
          ? '20,3'
          : `${CLASS},9`
        : `${CLASS},${TYPES[kind]}`;
    return `${head},${pair},${hash % 7},${tail}\r\n`;
  }

  /** The argument of the SEND in which it must arrive on that channel. */
  send(source: number, n: number, channel: number): string {
    const hash = this.#hash(source, n);
    const kind = this.kind(source, n);
    const guid = kind === 'two' && channel === 1 ? OTHER : GUID;
    const type = kind === 'denied' || kind === 'malformed' ? 0 : TYPES[kind];
    const head = this.#priority(hash) << 5;
    return `${head},${CLASS},${type},0,${STAMP},${n},${guid}${source + 1}${this.#data(hash)}`;
  }

  #hash(source: number, n: number): number {
    return mix(this.#seed ^ mix((n * SOURCES.length + source) >>> 0));
  }

  #priority(hash: number): number {
    return (hash >>> 8) % URGENT_SHARE === 0 ? 0 : 1 + ((hash >>> 12) % 7);
  }

  #data(hash: number): string {
    let text = '';
    for (let left = hash % 9, byte = hash; left > 0; left--, byte = mix(byte)) {
      text += `,${byte & 0xff}`;
    }
    return text;
  }

  /** Lines of which nothing may go up, whatever they hold. */
  #malformed(hash: number, n: number): string {
    const event = `96,${CLASS},1,0,${STAMP},${n},${GUID}1,1`;
    switch ((hash >>> 10) % 8) {
      case 0:
        return '';
      case 1:
        return `x${event}`;
      case 2:
        return `${event},256`;
      case 3:
        return event.slice(0, event.indexOf(GUID) + 20);
      case 4:
        return `96,70000,1,0,${STAMP},${n},${GUID}1,1`;
      case 5:
        return hash % 16 === 0 ? `${event}${',1'.repeat(3000)}` : `${event},`;
      case 6:
        return `96,${CLASS},1,0,2026-13-41T08:00:00Z,${n},${GUID}1,1`;
      default:
        return `SEND ${event}`;
    }
  }
}

/** Which event a SEND's argument says that it is; its text may be wrong all the same. */
export function readSend(argument: string): { source: number; n: number } {
  const fields = argument.split(',', 7);
  return { source: Number(fields[6]?.slice(-1)) - 1, n: Number(fields[5]) };
}
