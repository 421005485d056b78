/** A gate in pieces on a temporary directory, and valves that never were processes. */
import { join } from 'node:path';
import type { Logged } from '../../src/audit/log.js';
import { describeCounters } from '../../src/gate/counters.js';
import { Intake } from '../../src/gate/intake.js';
import { Ledger } from '../../src/gate/ledger.js';
import { Outflow } from '../../src/gate/outflow.js';
import {
  AFTER,
  bodyOf,
  type Lane,
  LANES,
  laneOf,
  readU64,
  RULE,
  SEQUENCE,
  SOURCE,
} from '../../src/journal/format.js';
import { JournalReader } from '../../src/journal/reader.js';
import { type Compiled, compilePolicies } from '../../src/policy/compile.js';
import { Engine } from '../../src/policy/engine.js';
import { parsePolicy } from '../../src/policy/parse.js';
import { formatEvent } from '../../src/event/event.js';
import { type Frame, type Totals, zeroTotals } from '../../src/wire/frame.js';
import { hmacOf } from '../../src/wire/hmac.js';
import type { GateSettings } from '../../src/wire/settings.js';

export const SOURCES = ['north', 'south'] as const;
export const CHANNELS = ['public', 'archive'] as const;

export const POLICIES = [
  `
schema: tidegate-policy/v1
policy: { id: p, revision: 1 }
lists:
  offices: ["FF:FF:FF:FF:FF:FF:FF:FE:B8:27:EB:20/96"]
rules:
  - { name: never-security, effect: forbid, match: { class: "@SECURITY" } }
  - { name: never-offices, effect: forbid, to: [public], match: { guid: { in: $offices } } }
  - { name: climate, effect: permit, to: [public], match: { class: 10, type: [6, 35] } }
  - { name: urgent, effect: permit, to: [public, archive], match: { class: 20, priority: [0, 1] } }
`,
  `
schema: tidegate-policy/v1
policy: { id: q, revision: 1 }
rules:
  - { name: climate, effect: permit, to: [archive], match: { class: 10, type: 6 },
      emit: { priority: zero, guid: keep } }
  - { name: north-alone, effect: permit, to: [archive], match: { source: north, class: 30 },
      emit: { data: keep, time: keep } }
  - { name: doors, effect: permit, to: [archive], match: { class: 2 } }
`,
];

/** Pseudonyms of a gate in pieces have one key. */
const keyring = (path: string) => hmacOf(`key of ${path}`);

/** What fails in the audit log's place, and sees what it is given. */
export interface Auditor {
  readonly append: (batch: Logged) => void;
  readonly probe?: () => void;
}

/** What a gate is made of; `restart` is what its successor finds. */
export class World {
  readonly settings: GateSettings;
  engine: Engine;
  ledger: Ledger;
  outflow: Outflow;
  intake: Intake;
  readonly #compiled: Compiled;
  #now = Date.now();
  readonly #audit: Auditor | undefined;
  readonly #readers: Readonly<Record<Lane, JournalReader>>[];

  constructor(
    directory: string,
    audit?: Auditor,
    channels: readonly string[] = CHANNELS,
    policies: readonly string[] = POLICIES,
  ) {
    this.settings = {
      sources: SOURCES,
      channels: channels.map((name) => ({
        name,
        directory: join(directory, name),
        retain: { size: 2 ** 30, age: Infinity },
      })),
      directory,
      audit: { directory: join(directory, 'audit'), relay: undefined, host: 'relay' },
    };
    this.#compiled = compilePolicies(
      policies.map((text, i) => parsePolicy(text, `${i}.yaml`)),
      { sources: SOURCES, channels },
      Date.now(),
    );
    this.engine = this.#begin();
    this.#audit = audit;
    this.ledger = this.#open();
    this.outflow = new Outflow(this.ledger.lanes, this.ledger.outcomes);
    this.intake = new Intake(this.engine, this.outflow, this.ledger.counters, () => {
      this.commit(this.#now);
    });
    this.#readers = this.settings.channels.map(({ directory }) => {
      const [routine, urgent] = LANES.map(
        (lane) => new JournalReader(laneOf(directory, lane), { epoch: 0, sequence: 0 }),
      );
      return { routine: routine!, urgent: urgent! };
    });
  }

  /** Ends the gate as kill -9 would, and starts the next. */
  restart(): void {
    this.close();
    this.ledger = this.#open();
    this.engine = this.#begin();
    this.engine.notBefore(this.ledger.lastTime);
    this.outflow = new Outflow(this.ledger.lanes, this.ledger.outcomes);
    this.intake = new Intake(this.engine, this.outflow, this.ledger.counters, () => {
      this.commit(this.#now);
    });
  }

  #begin(): Engine {
    return new Engine(this.#compiled, keyring, { now: 0 });
  }

  #open(): Ledger {
    const rules = this.#compiled.rules.map(({ name }) => name);
    const ledger = new Ledger(this.settings, rules);
    const { append = () => undefined, probe = () => undefined } = this.#audit ?? {};
    ledger.audit = {
      append: (_, batch, meanwhile) => {
        append(batch);
        meanwhile();
        return true;
      },
      probe,
      settle: () => true,
      flush: () => undefined,
      withdraw: () => undefined,
      trouble: undefined,
    };
    return ledger;
  }

  /** Turns to a time, and sends what windows have gathered until then. */
  advance(now: number): void {
    while (!this.intake.advance(now)) this.commit(now);
  }

  commit(now: number): boolean {
    this.#now = now;
    const stands = this.ledger.commit(now) === 'stands';
    if (stands) this.intake.committed();
    else this.intake.abandoned(this.ledger.blame);
    return stands;
  }

  close(): void {
    this.ledger.close();
  }

  counters(source: number) {
    return describeCounters(this.ledger.counters[source]!);
  }

  /**
   * New records of a channel in the order in which they were appended: sequence, source, rule, text;
   * the sequence of the urgent lane has a `u` before it.
   */
  journalled(channel: number): string[] {
    const { routine, urgent } = this.#readers[channel]!;
    const early = readAll(urgent);
    const records: string[] = [];
    for (const record of readAll(routine)) {
      while (early.length > 0 && early[0]!.after < record.sequence) {
        records.push(`u${early.shift()!.text}`);
      }
      records.push(record.text);
    }
    return [...records, ...early.map(({ text }) => `u${text}`)];
  }
}

interface Journalled {
  readonly sequence: number;
  /** Of the urgent lane: the routine lane's last sequence before it. */
  readonly after: number;
  readonly text: string;
}

/** All that a reader has not delivered yet. */
function readAll(reader: JournalReader): Journalled[] {
  const { buffer, offsets } = reader;
  const records: Journalled[] = [];
  for (let count; (count = reader.read()) > 0;) {
    for (const at of offsets.subarray(0, count)) {
      const source = reader.header!.sources[buffer.readUInt16BE(at + SOURCE)]!;
      const rule = reader.header!.rules[buffer.readUInt16BE(at + RULE)]!;
      const sequence = readU64(buffer, at + SEQUENCE);
      const text = `${sequence} ${source} ${rule} ${formatEvent(buffer, bodyOf(buffer, at))}`;
      records.push({ sequence, after: readU64(buffer, at + AFTER), text });
    }
  }
  return records;
}

type Sum = ReturnType<typeof describeCounters>;

function total(counts: Readonly<Record<string, number>>): number {
  return Object.values(counts).reduce((sum, count) => sum + count, 0);
}

/** What the sums leave over, -Infinity if a counter is below zero: 0, or there is a bug. */
export function imbalance({ in: read, permitted, denied, malformed, lost }: Sum): number {
  const all = [read, permitted, denied, ...Object.values(malformed), ...Object.values(lost)];
  if (all.some((count) => count < 0)) return -Infinity;
  return read - permitted - denied - total(malformed) - total(lost);
}

/** A valve's side of the frames: what it says of lines that it never sends, too. */
export class Valve {
  generation = 1;
  totals: Totals = zeroTotals();

  /** The next connection. */
  reconnect(): void {
    this.generation++;
    this.totals = zeroTotals();
  }

  /** Lines that were read and are in no frame. */
  lose(counts: Partial<Totals>): void {
    for (const [name, count] of Object.entries(counts)) this.totals[name as keyof Totals] += count;
    const { empty = 0, overlong = 0, truncated = 0, overflow = 0 } = counts;
    this.totals.read += empty + overlong + truncated + overflow;
  }

  /** A frame of these lines, each with its ending; `last` of this connection. */
  frame(lines: readonly string[], last = false): Frame {
    const text = Buffer.from(lines.join(''), 'latin1');
    this.totals.read += lines.length;
    this.totals.bytes += text.length;
    // In the middle of a buffer, as the reader of frames delivers it.
    const payload = Buffer.concat([Buffer.from('\r\r7,8,9\r'), text, Buffer.from('1,2,3\n')]);
    const { generation } = this;
    const totals = { ...this.totals };
    const end = 8 + text.length;
    return { generation, lines: lines.length, last, totals, payload, start: 8, end };
  }
}
