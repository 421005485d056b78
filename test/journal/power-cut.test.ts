import assert from 'node:assert/strict';
import fc from 'fast-check';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { crc32 } from 'node:zlib';
import t from 'tap';
import { IN } from '../../src/gate/counters.js';
import { type Audit, Ledger } from '../../src/gate/ledger.js';
import { Outflow } from '../../src/gate/outflow.js';
import { bodyOf, laneOf } from '../../src/journal/format.js';
import { JournalReader, type Position } from '../../src/journal/reader.js';
import { parseBody } from '../../src/event/event.js';
import { bodyLength } from '../../src/event/layout.js';
import { CHANNEL_PERMITTED, EMITTED } from '../../src/policy/outcome.js';
import { type Choose, Recorder } from './crash.js';

const CHANNELS = ['public', 'archive'];
/** As the ledger has them: urgent ones first. */
const JOURNALS = ['public/urgent', 'archive/urgent', 'public', 'archive'];
const START: Position = { epoch: 0, sequence: 0 };

/** What a mark of this batch stands for. */
interface Snapshot {
  readonly counters: number[][];
  readonly outcomes: number[][];
  /** By journal. */
  readonly sequences: number[];
}

/** Batch numbers of whole marks below a directory, by their description and nothing else. */
function batches(root: string): number[] {
  const found: number[] = [];
  for (const name of JOURNALS) {
    const directory = join(root, name);
    for (const segment of readdirSync(directory).filter((file) => file.endsWith('.tgj'))) {
      const bytes = readFileSync(join(directory, segment));
      if (bytes.length < 16) continue;
      let at = 12 + bytes.readUInt32BE(8) + 4;
      if (bytes.length < at) continue;
      if (crc32(bytes.subarray(0, at - 4)) !== bytes.readUInt32BE(at - 4)) continue;
      while (at + 8 <= bytes.length) {
        const length = bytes.readUInt32BE(at);
        if (length < 12 || at + length > bytes.length) break;
        const crc = crc32(bytes.subarray(at, at + length - 4));
        if (crc !== bytes.readUInt32BE(at + length - 4)) break;
        if (bytes[at + 4] === 2) found.push(Number(bytes.readBigUInt64BE(at + 16)));
        at += length;
      }
    }
  }
  return found;
}

/** All bodies that a reader finds after a position. */
function readFrom(directory: string, after: Position) {
  const reader = new JournalReader(directory, after);
  const bodies: string[] = [];
  for (let count; (count = reader.read()) > 0;) {
    for (const at of reader.offsets.subarray(0, count)) {
      const body = bodyOf(reader.buffer, at);
      bodies.push(reader.buffer.toString('hex', body, body + bodyLength(reader.buffer, body)));
    }
  }
  reader.close();
  return { bodies, position: reader.position, rewound: reader.rewound, expired: reader.expired };
}

const step = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.array(
      fc.record({
        channel: fc.nat(1),
        urgent: fc.boolean(),
        count: fc.integer({ min: 1, max: 6 }),
      }),
      { minLength: 1, maxLength: 4 },
    ),
  },
  {
    weight: 5,
    arbitrary: fc.constantFrom('mark', 'fail', 'rules', 'tend', 'large', 'tend', 'large' as const),
  },
);
const round = fc.record({
  steps: fc.array(step, { minLength: 1, maxLength: 10 }),
  how: fc.constantFrom('kill', 'power' as const),
  /** Where, of all operations; 1: behind the last one. */
  where: fc.oneof(fc.double({ min: 0, max: 1, noNaN: true }), fc.constant(1)),
  seed: fc.nat(2 ** 31),
});

/** A small generator of pseudo-random numbers, so that a run can be repeated. */
function chooser(seed: number): Choose {
  let state = seed >>> 0 || 1;
  return (n) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % n;
  };
}

const zeros: Snapshot = {
  counters: [[], []],
  outcomes: [[], []],
  sequences: JOURNALS.map(() => 0),
};

type Round = typeof round extends fc.Arbitrary<infer T> ? T : never;

/** One gate after the other on a disk that forgets, and all that must be true of each. */
class History {
  readonly seen = { lost: 0, rewound: 0, adopted: 0, spares: 0 };
  readonly #directory: string;
  /** The gate before, if it was killed and the disk has lived on. */
  #killed: { readonly recorder: Recorder; readonly until: number } | undefined;
  /** Bodies by journal, as they were appended; what is not marked in the end is taken back. */
  #bodies: string[][] = JOURNALS.map(() => []);
  readonly #snapshots = new Map<number, Snapshot>();
  /** What the gate that begins has to find. */
  #base = zeros;
  /** Where readers stood after each batch. */
  #cursors: Position[][] = [];
  #stamp = 0;
  #clock = Date.now() + 10_000;

  constructor(directory: string) {
    this.#directory = directory;
  }

  #prepare(directory: string): void {
    for (const name of JOURNALS) mkdirSync(join(directory, name), { recursive: true });
  }

  async play({ steps, how, where, seed }: Round): Promise<void> {
    const choose = chooser(seed);
    const directory = this.#directory;
    this.#prepare(directory);
    const recorder = new Recorder(directory, this.#killed);
    const carried = recorder.ops.length;
    /** Batches that were committed, and how many operations there were then. */
    const committed: [batch: number, ops: number][] = [];
    let begun: [batch: number, ops: number];
    const stood: { journal: number; position: Position; ops: number }[] = [];
    try {
      const gate = new Gate(directory, this.#base, this.#snapshots);
      begun = [gate.batch, recorder.ops.length];
      for (const step of steps) {
        await this.#take(gate, step);
        committed.push([gate.batch, recorder.ops.length]);
        JOURNALS.forEach((name, i) => {
          const { position } = readFrom(join(directory, name), START);
          stood.push({ journal: i, position, ops: recorder.ops.length });
        });
      }
      gate.ledger.close();
      this.seen.spares += recorder.spares;
    } finally {
      recorder.stop();
    }
    let until = carried + Math.round(where * (recorder.ops.length - carried));
    rmSync(directory, { recursive: true });
    this.#prepare(directory);
    this.#cursors = JOURNALS.map((_, i) => {
      return stood
        .filter(({ journal, ops }) => journal === i && ops <= until)
        .map(({ position }) => position);
    });
    const last = committed.findLast(([, ops]) => ops <= until)?.[0] ?? 0;
    if (how === 'kill') {
      until = recorder.kill(until, directory, choose);
      this.#killed = { recorder, until };
    } else {
      recorder.cutPower(until, directory, choose);
      this.#killed = undefined;
    }

    const found = Math.max(0, ...batches(directory));
    const durable = recorder
      .synced(until)
      .filter(({ bytes, at }) => at > 0 && bytes[4] === 2 && bytes.readUInt32BE() === bytes.length)
      .map(({ bytes }) => Number(bytes.readBigUInt64BE(16)));
    assert.ok(found >= Math.max(0, ...durable), 'a mark that was durable stands');
    if (begun[1] <= until) assert.ok(found >= begun[0], 'the mark of a start stands');
    if (how === 'kill') {
      assert.ok(found >= last, 'a kill takes no mark back');
    }
    this.#base = this.#snapshots.get(found) ?? zeros;
    this.#check(directory);
  }

  /** Looks at a copy: what a gate finds is found again by the one after it. */
  #check(directory: string): void {
    const copy = `${directory}-copy`;
    cpSync(directory, copy, { recursive: true });
    const { sequences, counters, outcomes } = this.#base;
    const { ledger } = new Gate(copy, this.#base, new Map());
    assert.equal(ledger.mended.missing, 0);
    this.seen.adopted += ledger.mended.adopted;
    // A gate that never marked anything counts from zero.
    assert.deepEqual(ledger.counters.map(nonZero), counters.map(nonZero));
    assert.deepEqual(ledger.outcomes.map(nonZero), outcomes.map(nonZero));
    ledger.describe().forEach(({ permitted, emitted, journalled }) => {
      assert.equal(permitted, emitted);
      assert.equal(emitted, journalled);
    });
    JOURNALS.forEach((name, i) => {
      const all = this.#bodies[i]!;
      const whole = all.slice(0, sequences[i]);
      this.seen.lost += all.length - whole.length;
      this.#bodies[i] = whole;
      const fresh = readFrom(join(copy, name), START);
      assert.deepEqual(fresh.bodies, whole, `${name}: what was marked, and nothing else`);
      assert.deepEqual([fresh.expired, fresh.rewound], [0, 0]);
      for (const cursor of this.#cursors[i]!) {
        const { bodies, rewound, expired } = readFrom(join(copy, name), cursor);
        assert.equal(rewound, Math.max(0, cursor.sequence - whole.length), `${name}: rewound`);
        assert.equal(expired, 0);
        assert.deepEqual(bodies, whole.slice(cursor.sequence));
        this.seen.rewound += rewound;
      }
    });
    ledger.close();
    rmSync(copy, { recursive: true });
  }

  async #take(gate: Gate, step: Round['steps'][number]): Promise<void> {
    const now = (this.#clock += 10_000);
    if (step === 'rules') gate.changeRules();
    else if (step === 'tend') {
      // As if the segment had been filled slowly.
      gate.ledger.tend(performance.now() + 1e6);
      const spare = (name: string): boolean => existsSync(join(this.#directory, name, 'next'));
      for (let i = 0; i < 20 && !JOURNALS.some(spare); i++) await sleep(5);
      await sleep(20);
    } else if (step === 'fail') {
      gate.append(0, true, this.#bodyOf(1));
      gate.append(1, false, this.#bodyOf(500));
      assert.ok(!gate.commit(now, true));
    } else if (step !== 'mark') {
      const lots = step === 'large' ? LARGE : step;
      for (const { channel, urgent, count } of lots) {
        for (let i = 0; i < count; i++) {
          const body = this.#bodyOf(step === 'large' ? 500 : 1);
          gate.append(channel, urgent, body);
          this.#bodies[
            JOURNALS.indexOf(laneOf(CHANNELS[channel]!, urgent ? 'urgent' : 'routine'))
          ]!.push(Buffer.from(body).toString('hex'));
        }
      }
    }
    // A mark for every journal is due after a while; else, only those with records get one.
    if (step !== 'fail') assert.ok(gate.commit(step === 'mark' ? now : gate.marked));
  }

  #bodyOf(size: number): Uint8Array {
    return parseBody(`96,10,6,0,,${++this.#stamp},${GUID}${',7'.repeat(size)}`);
  }
}

/** Enough to fill a segment. */
const LARGE = [
  { channel: 0, urgent: true, count: 40 },
  { channel: 1, urgent: false, count: 30 },
];
const GUID = 'FF:FF:FF:FF:FF:FF:FF:FE:B8:27:EB:10:01:02:00:01';

const nonZero = (numbers: ArrayLike<number>): [number, number][] =>
  Array.from(numbers, (n, i): [number, number] => [i, n]).filter(([, n]) => n !== 0);

/** A ledger, and what its marks say by batch. */
class Gate {
  readonly ledger: Ledger;
  /** The last that was committed. */
  batch = 0;
  /** Time of the last mark of all journals. */
  marked = 0;
  readonly #outflow: Outflow;
  #failing = false;
  #rules = 0;

  constructor(directory: string, base: Snapshot, snapshots: Map<number, Snapshot>) {
    const settings = {
      sources: ['north', 'south'],
      channels: CHANNELS.map((name) => ({
        name,
        directory: join(directory, name),
        retain: { size: 2 ** 20, age: Infinity },
      })),
      directory,
    };
    const copy = (vectors: readonly Float64Array[]): number[][] => vectors.map((v) => [...v]);
    this.ledger = new Ledger(settings, ['a', 'b', 'c']);
    const { counters, outcomes } = this.ledger;
    this.batch = this.ledger.standing;
    snapshots.set(this.batch, { ...base, sequences: this.ledger.sequences() });
    this.ledger.audit = auditOf((batch, sequences) => {
      if (this.#failing) throw new Error('no space');
      this.batch = batch;
      snapshots.set(batch, { counters: copy(counters), outcomes: copy(outcomes), sequences });
    });
    this.marked = Date.now();
    this.#outflow = new Outflow(this.ledger.lanes, this.ledger.outcomes);
  }

  append(channel: number, urgent: boolean, body: Uint8Array): void {
    const outflow = this.#outflow;
    outflow.turnTo(channel);
    outflow.buffer.set(body, outflow.at);
    outflow.append(body.length, channel, 1, false, urgent);
    outflow.count(channel, CHANNEL_PERMITTED, 1);
    outflow.count(channel, EMITTED, 1);
    this.ledger.counters[channel]![IN]!++;
  }

  commit(now: number, failing = false): boolean {
    this.#failing = failing;
    const stands = this.ledger.commit(now) === 'stands';
    this.#failing = false;
    if (!stands) this.#outflow.abandoned();
    else {
      this.#outflow.committed();
      if (now - this.marked >= 1000) this.marked = now;
    }
    return stands;
  }

  changeRules(): void {
    this.ledger.setRules([`rule ${++this.#rules}`]);
  }
}

/** Sees every batch before it is shown. */
function auditOf(see: (batch: number, sequences: number[]) => void): Audit {
  return {
    append: (_, { batch, sequences }, meanwhile) => {
      see(batch, [...sequences]);
      meanwhile();
      return true;
    },
    settle: () => true,
    flush: () => undefined,
    probe: () => undefined,
    withdraw: () => undefined,
    trouble: undefined,
  };
}

const one = [{ channel: 0, urgent: false, count: 1 }];
const EXAMPLE: Round[] = [
  { steps: [one], how: 'power', where: 1, seed: 0 },
  { steps: ['mark', 'tend'], how: 'power', where: 1, seed: 1524700042 },
  { steps: [one], how: 'kill', where: 1, seed: 0 },
];

await t.test('after any kill, after any power cut, there is one truth', async (t) => {
  // What is synced is none of the disk's business here.
  const root = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'tidegate-'));
  t.teardown(() => rmSync(root, { recursive: true }));
  const total = { lost: 0, rewound: 0, adopted: 0, spares: 0 };
  let run = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(round, { minLength: 1, maxLength: 4 }), async (rounds) => {
      const own = join(root, String(run++));
      const history = new History(own);
      for (const each of rounds) await history.play(each);
      rmSync(own, { recursive: true, force: true });
      for (const name of Object.keys(total) as (keyof typeof total)[]) {
        total[name] += history.seen[name];
      }
    }),
    {
      numRuns: Number(process.env['TIDEGATE_CRASHES'] ?? 40),
      // All marks of a start that were written over, and torn.
      examples: [[EXAMPLE]],
    },
  );
  for (const [what, count] of Object.entries(total)) t.ok(count > 0, `${what}: ${count}`);
});
