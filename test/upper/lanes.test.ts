import assert from 'node:assert/strict';
import fc from 'fast-check';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { parseBody } from '../../src/event/event.js';
import type { Lane as LaneName } from '../../src/journal/format.js';
import type { JournalWriter } from '../../src/journal/writer.js';
import { BARRIER_PATIENCE, type Drain, QUIET } from '../../src/upper/sender.js';
import {
  type Bench,
  GUID,
  layIn,
  Link,
  openJournal,
  pass,
  type Reply,
  ScriptedServer,
} from './bench.js';

interface Appended {
  readonly lane: LaneName;
  readonly sequence: number;
}

/** A gate that appends to two lanes and shows them as a ledger does: the urgent one first. */
class Gate {
  /** By stamp, which counts from 1 in the order of appending. */
  readonly appended: Appended[] = [];
  /** Visible records of the urgent lane. */
  shown = 0;
  readonly routine: JournalWriter;
  readonly urgent: JournalWriter;

  constructor(bench: Bench) {
    this.routine = bench.writer;
    this.urgent = openJournal(bench.directory, 'urgent');
  }

  append(lane: LaneName): void {
    const writer = this[lane];
    const stamp = this.appended.length + 1;
    const body = parseBody(`96,10,6,3,2026-11-22T08:00:00Z,${stamp},${GUID},1`);
    writer.buffer.set(body, writer.bodyAt);
    writer.append(body.length, 0, 0, this.routine.sequence);
    this.appended.push({ lane, sequence: writer.sequence });
  }

  /** @param between what happens when the urgent lane is seen and the routine one is not yet */
  commit(between: () => void): void {
    this.urgent.flush();
    this.routine.flush();
    this.urgent.commit(1, 0, [new Float64Array(0)]);
    this.shown = this.urgent.sequence;
    between();
    this.routine.commit(1, 0, [new Float64Array(0)]);
  }

  close(): void {
    this.routine.close();
    this.urgent.close();
  }
}

const lanes = fc.array(fc.constantFrom<LaneName>('routine', 'routine', 'urgent'), {
  minLength: 1,
  maxLength: 9,
});
const step = fc.oneof(
  { weight: 8, arbitrary: fc.integer({ min: 1, max: 9 }).map((answer) => ({ answer })) },
  { weight: 2, arbitrary: fc.constantFrom({ wait: 60 }, { wait: QUIET }) },
  { weight: 1, arbitrary: fc.constant({ wait: BARRIER_PATIENCE }) },
  { weight: 5, arbitrary: fc.record({ lanes, pump: fc.boolean() }) },
  { weight: 1, arbitrary: fc.constant({ drop: true }) },
);
const replies = fc.array(fc.constantFrom<Reply>('+', '+', '+', '+', '-', '--'), {
  minLength: 1,
  maxLength: 13,
});

const root = t.testdir({});
let runs = 0;

interface Seen {
  overtaken: number;
  resent: number;
}

/** Runs one history, and checks all that is true of any. */
function play(
  drain: Drain,
  window: number,
  pattern: readonly Reply[],
  noop: Reply,
  steps: readonly (typeof step extends fc.Arbitrary<infer T> ? T : never)[],
  seen: Seen,
): void {
  const directory = join(root, String(++runs));
  const bench = layIn(directory);
  const gate = new Gate(bench);
  const reply = (stamp: number): Reply => pattern[stamp % pattern.length]!;
  /** Of all connections: stamps in the order in which they were sent. */
  const sent: number[] = [];
  let link = new Link(bench, new ScriptedServer(reply, noop), window, drain);
  let counted = 0;
  /** Takes note of what was sent since, and checks its order. */
  const note = (): void => {
    const { seen: all } = link.server;
    for (; counted < all.length; counted++) sent.push(all[counted]!);
  };
  const pump = (): void => {
    note();
    const { urgent } = bench;
    const flying = sent.length > 0 && urgent.progress.sent > urgent.progress.sequence;
    const next = gate.appended.findIndex(
      ({ lane, sequence }) => lane === 'urgent' && sequence === urgent.progress.sent + 1,
    );
    const visible = urgent.progress.sent < gate.shown;
    const before = sent.length;
    link.sender.pump();
    note();
    const fresh = sent.slice(before);
    if (drain === 'urgent-first' && visible && !flying && fresh.length > 0) {
      assert.equal(fresh[0], next + 1, 'what is urgent goes first');
    }
  };
  const next = (): void => {
    note();
    link.drop();
    link = new Link(bench, new ScriptedServer(reply, noop), window, drain);
    counted = 0;
  };
  let silent = 0;
  for (const action of steps) {
    if ('answer' in action) link.answer(action.answer);
    else if ('wait' in action) {
      for (let rest = action.wait; rest > 0; rest -= 60) {
        silent += 60;
        if (silent >= QUIET - 60) {
          link.answer(Infinity);
          silent = 0;
        }
        pass(60);
      }
    } else if ('lanes' in action) {
      for (const lane of action.lanes) gate.append(lane);
      gate.commit(() => {
        if (action.pump) pump();
      });
      pump();
    } else {
      next();
      link.sender.pump();
    }
    note();
    assert.ok(link.sender.outstanding <= window);
  }
  next();
  link.settle();
  note();
  link.drop();
  gate.close();
  check(drain, bench, gate, sent, reply);
  seen.resent += sent.length - new Set(sent).size;
  const first = [...new Set(sent)];
  if (first.some((stamp, i) => stamp !== i + 1)) seen.overtaken++;
  rmSync(directory, { recursive: true });
}

function check(
  drain: Drain,
  bench: Bench,
  { appended }: Gate,
  sent: readonly number[],
  reply: (stamp: number) => Reply,
): void {
  const first = [...new Set(sent)];
  const all = appended.map((_, i) => i + 1);
  assert.deepEqual(
    first.toSorted((a, b) => a - b),
    all,
    'everything was sent',
  );
  if (drain === 'in-order') assert.deepEqual(first, all, 'in the order of the gate');
  for (const lane of ['routine', 'urgent'] as const) {
    const side = lane === 'routine' ? bench : bench.urgent;
    const own = all.filter((stamp) => appended[stamp - 1]!.lane === lane);
    assert.deepEqual(
      first.filter((stamp) => appended[stamp - 1]!.lane === lane),
      own,
      `${lane}: in order within the lane`,
    );
    const refused = own.filter((stamp) => reply(stamp) !== '+');
    assert.equal(side.progress.sequence, own.length);
    assert.equal(side.progress.refused, refused.length);
    assert.equal(side.progress.answered, own.length - refused.length);
    assert.deepEqual(
      side.rejects.map(([sequence]) => sequence),
      refused.map((stamp) => appended[stamp - 1]!.sequence),
    );
    let resent = 0;
    for (const stamp of own) {
      const { sequence } = appended[stamp - 1]!;
      const times = sent.filter((each) => each === stamp).length;
      const said = side.resent.filter(([from, to]) => from <= sequence && sequence <= to).length;
      assert.equal(times, 1 + said, `${lane} ${sequence}: sent again exactly as it was said`);
      resent += said;
    }
    assert.equal(side.progress.resent, resent);
    assert.deepEqual([side.progress.expired, side.progress.rewound], [0, 0]);
  }
}

for (const drain of ['urgent-first', 'in-order'] as const) {
  await t.test(`${drain}: nothing is lost, doubled unsaid or out of its order`, (t) => {
    const seen: Seen = { overtaken: 0, resent: 0 };
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 6 }),
        replies,
        fc.constantFrom<Reply>('+', '-', ''),
        fc.array(step, { maxLength: 40 }),
        (window, pattern, noop, steps) => play(drain, window, pattern, noop, steps, seen),
      ),
      { numRuns: 150 },
    );
    t.ok(seen.resent > 50, `${seen.resent} were resent`);
    if (drain === 'in-order') t.equal(seen.overtaken, 0);
    else t.ok(seen.overtaken > 20, `something overtook in ${seen.overtaken} of them`);
    t.end();
  });
}

/** A backlog: 40 routine records with an urgent one after each tenth. */
function backlog(gate: Gate): number[] {
  const urgent: number[] = [];
  for (let i = 1; i <= 40; i++) {
    gate.append('routine');
    if (i % 10 !== 0) continue;
    gate.append('urgent');
    urgent.push(gate.appended.length);
  }
  gate.commit(() => undefined);
  return urgent;
}

await t.test('of a backlog, what is urgent goes first, or in its place', (t) => {
  for (const drain of ['urgent-first', 'in-order'] as const) {
    for (const window of [1, 3, 100]) {
      const bench = layIn(join(root, `backlog-${drain}-${window}`));
      const gate = new Gate(bench);
      const urgent = backlog(gate);
      const link = new Link(bench, new ScriptedServer(() => '+'), window, drain);
      link.settle();
      const all = gate.appended.map((_, i) => i + 1);
      const overtaking = [...urgent, ...all.filter((stamp) => !urgent.includes(stamp))];
      t.same(link.server.seen, drain === 'in-order' ? all : overtaking, `${drain} ${window}`);
      t.equal(bench.progress.answered, 40);
      t.equal(bench.urgent.progress.answered, 4);
      link.drop();
      gate.close();
    }
  }
  t.end();
});

await t.test('in order, what is urgent waits for what was appended before it', (t) => {
  const bench = layIn(join(root, 'waits'));
  const gate = new Gate(bench);
  const link = new Link(bench, new ScriptedServer(() => '+'), 10, 'in-order');
  gate.append('routine');
  gate.append('urgent');
  gate.append('routine');
  gate.commit(() => {
    link.sender.pump();
    t.same(link.server.seen, [], 'the routine lane shows nothing yet');
  });
  link.settle();
  t.same(link.server.seen, [1, 2, 3]);
  link.drop();
  gate.close();
  t.end();
});

await t.test('in order, what is committed while it looks is not sent in the wrong order', (t) => {
  const clock = Date.now;
  t.teardown(() => (Date.now = clock));
  const bench = layIn(join(root, 'looks'));
  const gate = new Gate(bench);
  const link = new Link(bench, new ScriptedServer(() => '+'), 10, 'in-order');
  gate.append('routine');
  gate.append('urgent');
  gate.commit(() => undefined);
  link.settle();
  // A reader asks for the time when it has found nothing new.
  Date.now = () => {
    Date.now = clock;
    gate.append('urgent');
    gate.append('routine');
    gate.commit(() => undefined);
    return clock();
  };
  link.sender.pump();
  link.settle();
  t.same(link.server.seen, [1, 2, 3, 4]);
  link.drop();
  gate.close();
  t.end();
});

await t.test('in order, what a power cut has taken is waited for once', (t) => {
  const clock = performance.now.bind(performance);
  t.teardown(() => (performance.now = clock));
  const bench = layIn(join(root, 'taken'));
  const gate = new Gate(bench);
  const link = new Link(bench, new ScriptedServer(() => '+'), 10, 'in-order');
  for (let i = 0; i < 4; i++) {
    gate.append('routine');
    gate.append('urgent');
  }
  gate.routine.rollback();
  gate.commit(() => undefined);
  link.sender.pump();
  t.same(link.server.seen, []);
  performance.now = () => clock() + 5000;
  link.settle();
  t.same(link.server.seen, [2, 4, 6, 8]);
  link.drop();
  gate.close();
  t.end();
});
