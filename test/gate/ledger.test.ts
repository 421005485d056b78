import { appendFileSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import type { Start } from '../../src/audit/leaf.js';
import { AuditError, type Logged } from '../../src/audit/log.js';
import { adoptCounters, COUNTERS, describeCounters } from '../../src/gate/counters.js';
import { Ledger } from '../../src/gate/ledger.js';
import { DATA } from '../../src/event/layout.js';
import { AFTER, KIND, readU64, SEQUENCE, URGENT } from '../../src/journal/format.js';
import { JournalReader } from '../../src/journal/reader.js';
import type { JournalWriter } from '../../src/journal/writer.js';
import { scanSegment } from '../../src/journal/scan.js';
import { OUTCOMES } from '../../src/policy/outcome.js';
import { mountSmallDisk } from '../journal/small-disk.js';
import { CHANNELS, imbalance, SOURCES, Valve, World } from './world.js';

const line = (vscpClass: number, type = 6, head = 0) =>
  `${head},${vscpClass},${type},0,,0,FF:FF:FF:FF:FF:FF:FF:FE:B8:27:EB:10:01:02:00:01,1,2,3\n`;
const flush = (journal: JournalWriter): void => journal.flush();
const LATER = Date.now() + 1e9;

function marks(directory: string) {
  const seen: number[] = [];
  const names = readdirSync(directory).filter((name) => name.endsWith('.tgj'));
  for (const name of names.sort()) {
    const scan = scanSegment(join(directory, name));
    if (scan?.mark) seen.push(scan.mark.batch);
  }
  return seen;
}

await t.test('a restart continues the counters of record', (t) => {
  const world = new World(t.testdir());
  const [north, south] = [new Valve(), new Valve()];
  world.intake.take(north.frame([line(10), line(10, 35), line(99), 'x\n']), 0);
  south.lose({ overflow: 3, empty: 1, alive: 2 });
  world.intake.take(south.frame([line(20)]), 1);
  t.ok(world.commit(LATER));
  const before = [0, 1].map((source) => world.counters(source));
  t.match(before, [
    { in: 4, permitted: 2, denied: 1, malformed: { head: 1 } },
    { in: 5, permitted: 1, malformed: { empty: 1 }, lost: { overflow: 3 }, alive: 2 },
  ]);
  for (let i = 0; i < 3; i++) {
    world.restart();
    t.same(
      [0, 1].map((source) => world.counters(source)),
      before,
    );
    const oldest = { routine: 1, urgent: 1 };
    const kept = { oldest, absorbed: {}, open: 0, withheld: {}, beacons: 0 };
    t.same(world.ledger.describe(), [
      { channel: 'public', journalled: 3, urgent: 3, permitted: 3, emitted: 3, ...kept },
      { channel: 'archive', journalled: 2, urgent: 2, permitted: 2, emitted: 2, ...kept },
    ]);
  }
  world.close();
  t.end();
});

await t.test('the newest mark of any channel has the counters of record', (t) => {
  const world = new World(t.testdir());
  const valve = new Valve();
  world.intake.take(valve.frame([line(10)]), 0);
  world.commit(LATER);
  // No mark is due: only the channel that has a record gets one.
  world.intake.take(valve.frame([line(10, 35), line(99)]), 0);
  world.commit(LATER + 10);
  world.intake.take(valve.frame([line(99)]), 0);
  world.commit(LATER + 20);
  t.match(world.counters(0), { in: 4, permitted: 2, denied: 2 });
  world.restart();
  t.match(world.counters(0), { in: 3, permitted: 2, denied: 1 }, 'as of the last mark');
  world.intake.take(valve.frame([]), 0);
  t.match(world.counters(0), { in: 4, permitted: 2, denied: 1, lost: { restart: 1 } });
  world.close();
  t.end();
});

await t.test('a source keeps its counters in another order, a new one begins at zero', (t) => {
  const world = new World(t.testdir());
  world.intake.take(new Valve().frame([line(10)]), 1);
  world.commit(LATER);
  world.close();
  const settings = { ...world.settings, sources: ['south', 'east'] };
  const ledger = new Ledger(settings, []);
  t.match(describeCounters(ledger.counters[0]!), { in: 1, permitted: 1 });
  t.match(describeCounters(ledger.counters[1]!), { in: 0, permitted: 0 });
  ledger.close();
  t.end();
});

await t.test('counters are taken over by name', (t) => {
  const vector = Float64Array.from(COUNTERS, (_, i) => i + 1);
  const names = [...COUNTERS].reverse();
  t.same(adoptCounters(names, vector.toReversed()), vector);
  const adopted = adoptCounters(['unknown', 'denied'], Float64Array.of(5, 6));
  t.equal(adopted[COUNTERS.indexOf('denied')], 6);
  t.equal(
    adopted.reduce((sum, n) => sum + n),
    6,
  );
  t.end();
});

await t.test('records, leaf, marks: a leaf names what no reader sees yet', (t) => {
  const leaves: Logged[] = [];
  const unseen: number[] = [];
  let look = (): void => undefined;
  const append = (leaf: Logged): void => {
    leaves.push({ ...leaf, sequences: leaf.sequences.slice() });
    look();
  };
  const world = new World(t.testdir(), { append });
  look = () => void unseen.push(world.journalled(0).length + world.journalled(1).length);
  const valve = new Valve();
  world.intake.take(valve.frame([line(10, 6, 96), line(10, 6, 96), line(10, 35)]), 0);
  world.commit(LATER);
  t.same(unseen, [0]);
  look = () => undefined;
  t.same([world.journalled(0).length, world.journalled(1).length], [3, 2]);
  world.intake.take(valve.frame([line(10, 6, 96)]), 0);
  world.commit(LATER + 1);
  t.match(leaves, [
    {
      batch: 2,
      sequences: Float64Array.of(1, 2, 2, 0),
      // The urgent lanes, then the routine ones.
      pending: [
        { journal: 0, first: 1, count: 1 },
        { journal: 1, first: 1, count: 2 },
        { journal: 2, first: 1, count: 2 },
      ],
    },
    {
      batch: 3,
      pending: [
        { journal: 1, first: 3, count: 1 },
        { journal: 2, first: 3, count: 1 },
      ],
    },
  ]);
  world.restart();
  world.intake.take(valve.frame([line(10, 6, 96)]), 0);
  world.commit(LATER + 2);
  t.equal(leaves.at(-1)?.batch, 5, 'batches are numbered on');
  world.close();
  t.end();
});

await t.test('a batch that cannot be audited is not shown, and the next one goes on', (t) => {
  let failing = false;
  const append = (): void => {
    if (failing) throw new AuditError('ENOSPC');
  };
  const world = new World(t.testdir(), { append, probe: append });
  const valve = new Valve();
  failing = true;
  for (let attempt = 1; attempt <= 3; attempt++) {
    world.intake.take(valve.frame([line(10), line(99)]), 0);
    t.equal(world.commit(LATER + attempt), false);
    t.equal(world.ledger.failure, 'audit: ENOSPC');
    t.same(world.journalled(0), []);
    const lost = { audit: attempt };
    t.match(world.counters(0), { in: 2 * attempt, permitted: 0, denied: attempt, lost });
    t.equal(imbalance(world.counters(0)), 0);
  }
  failing = false;
  t.equal(world.commit(LATER + 4), true, 'a mark is still due');
  t.equal(world.ledger.failure, undefined);
  world.intake.take(valve.frame([line(10)]), 0);
  t.equal(world.commit(LATER + 5), true);
  t.equal(world.journalled(0).length, 1);
  t.match(world.counters(0), { in: 7, permitted: 1, denied: 3, lost: { audit: 3 } });
  world.restart();
  t.match(world.counters(0), { in: 7, permitted: 1, denied: 3, lost: { audit: 3 } });
  world.close();
  t.end();
});

await t.test('a disk that fails is tried ever more seldom, up to twice a second', (t) => {
  let failing = true;
  const tries: number[] = [];
  let now = LATER;
  const append = (): void => {
    tries.push(now - LATER);
    if (failing) throw Object.assign(new Error('an error'), { code: 'EIO' });
  };
  const world = new World(t.testdir(), { append });
  const valve = new Valve();
  for (; now < LATER + 3000; now += 5) {
    world.intake.take(valve.frame([line(10)]), 0);
    t.notOk(world.commit(now));
  }
  t.same(tries, [0, 10, 30, 70, 150, 310, 630, 1130, 1630, 2130, 2630]);
  t.match(world.counters(0), { in: 600, permitted: 0, lost: { journal: 600 } });
  t.equal(world.ledger.failure, 'EIO');
  failing = false;
  now = LATER + 3130;
  for (let i = 0; i < 3; i++) {
    world.intake.take(valve.frame([line(10)]), 0);
    t.ok(world.commit(now), 'and it is well again');
  }
  t.equal(world.ledger.failure, undefined);
  // Of a clock that is set back nobody waits for the hour before.
  failing = true;
  world.intake.take(valve.frame([line(10)]), 0);
  t.notOk(world.commit(now));
  failing = false;
  now -= 3_600_000;
  world.intake.take(valve.frame([line(10)]), 0);
  t.ok(world.commit(now));
  t.match(world.counters(0), { in: 605, permitted: 4, lost: { journal: 601 } });
  t.equal(imbalance(world.counters(0)), 0);
  world.close();
  t.end();
});

await t.test('what was lost while no mark could be written is not forgotten', (t) => {
  let failing = false;
  const world = new World(t.testdir(), {
    append: () => {
      if (failing) throw Object.assign(new Error('no space'), { code: 'ENOSPC' });
    },
  });
  const valve = new Valve();
  world.intake.take(valve.frame([line(10)]), 0);
  t.ok(world.commit(LATER));
  failing = true;
  world.intake.take(valve.frame([line(10), line(10), line(99)]), 0);
  t.notOk(world.commit(LATER + 1000));
  world.ledger.reserve(LATER + 1000, (work) => work());
  const known = { in: 4, permitted: 1, denied: 1, lost: { journal: 2 } };
  const recorded = () => describeCounters(world.ledger.recorded[0]!);
  t.match(recorded(), known, 'the status shows it meanwhile');
  failing = false;
  world.restart();
  t.match(world.counters(0), known);
  t.equal(imbalance(world.counters(0)), 0);
  world.intake.take(valve.frame([line(10)]), 0);
  t.ok(world.commit(LATER + 2000));
  world.restart();
  t.match(world.counters(0), { in: 5, permitted: 2, lost: { journal: 2 } }, 'marks are newer');
  t.equal(world.journalled(0).length, 2);
  world.close();
  t.end();
});

await t.test('a full disk loses events with a reason, until it has room again', (t) => {
  const disk = mountSmallDisk(t, 1024);
  if (!disk) return;
  const world = new World(join(disk.directory, 'state'));
  const valve = new Valve();
  const many = new Array<string>(2000).fill(line(10));
  world.intake.take(valve.frame([line(10)]), 0);
  t.equal(world.commit(LATER), true);
  disk.fill();
  for (let i = 1; i <= 3; i++) {
    world.intake.take(valve.frame(many), 0);
    t.equal(world.commit(LATER + i), false);
    t.equal(world.ledger.failure, 'ENOSPC');
    t.match(world.counters(0), { permitted: 1, lost: { journal: 2000 * i } });
    t.equal(imbalance(world.counters(0)), 0);
  }
  disk.free();
  world.intake.take(valve.frame([line(10)]), 0);
  t.equal(world.commit(LATER + 50), true);
  t.equal(world.ledger.failure, undefined);
  t.equal(world.journalled(0).length, 2);
  t.equal(world.journalled(1).length, 2);
  world.restart();
  t.equal(world.ledger.mended.cut, 0);
  t.match(world.counters(0), { in: 6002, permitted: 2, lost: { journal: 6000 } });
  world.close();
  t.end();
});

await t.test('a mark is written when it is due, or when there are records', (t) => {
  const world = new World(t.testdir());
  const directory = world.settings.channels[0]!.directory;
  const valve = new Valve();
  t.same(marks(directory), [1]);
  world.intake.take(valve.frame([line(99)]), 0);
  t.equal(world.commit(LATER), true);
  t.same(marks(directory), [2]);
  world.intake.take(valve.frame([line(99)]), 0);
  t.equal(world.commit(LATER + 199), true);
  t.same(marks(directory), [2]);
  world.intake.take(valve.frame([line(10, 6, 96)]), 0);
  t.equal(world.commit(LATER + 199), true);
  t.same(marks(directory), [3]);
  t.same(marks(join(directory, 'urgent')), [2], 'a lane that has none gets none');
  t.equal(world.commit(LATER + 200), true);
  t.same(marks(directory), [4]);
  t.equal(world.commit(LATER - 1), true);
  t.same(marks(directory), [5], 'nor does a clock that went back stop the marks');
  world.close();
  t.end();
});

await t.test('what a kill left without a mark is cut, and said', (t) => {
  const world = new World(t.testdir());
  const valve = new Valve();
  world.intake.take(valve.frame([line(10)]), 0);
  world.commit(LATER);
  world.intake.take(valve.frame([line(10), line(10)]), 0);
  for (const { routine, urgent } of world.ledger.lanes) [routine, urgent].forEach(flush);
  world.restart();
  t.ok(world.ledger.mended.cut > 0);
  t.same([world.journalled(0).length, world.journalled(1).length], [1, 1]);
  appendFileSync(join(world.settings.channels[1]!.directory, 'garbage'), 'x');
  world.restart();
  t.equal(world.ledger.mended.cut, 0);
  world.close();
  t.end();
});

const LONG = `
schema: tidegate-policy/v1
policy: { id: p, revision: 1 }
rules:
  - name: long
    effect: permit
    to: [public, archive]
    match: { class: [10, 20] }
    emit: { guid: keep, data: [${new Array(512).fill(7).join()}] }
`;

await t.test(
  'a frame whose events grow is committed in parts, whatever is sent for a line',
  (t) => {
    const commits: number[] = [];
    const audit = { append: ({ pending }: Logged) => commits.push(pending[0]!.count) };
    const world = new World(t.testdir(), audit, undefined, [LONG]);
    const valve = new Valve();
    const frame = valve.frame(new Array<string>(4000).fill(line(10)));
    world.intake.take(frame, 0);
    t.ok(commits.length > 3, `${commits.length} batches of one frame`);
    t.ok(world.commit(LATER));
    t.match(world.counters(0), { in: 4000, permitted: 4000, lost: {} });
    for (const channel of [0, 1]) t.equal(world.journalled(channel).length, 4000);
    t.equal(imbalance(world.counters(0)), 0);
    world.close();
    t.end();
  },
);

await t.test('a gate that is killed in the middle of a frame leaves the rest to the next', (t) => {
  let batches = 0;
  const audit = {
    append() {
      if (++batches === 3) throw new Error('killed');
    },
  };
  const world = new World(t.testdir(), audit, undefined, [LONG]);
  const valve = new Valve();
  // What the third batch would hold, and all behind it, is never marked.
  const killed = valve.frame(new Array<string>(4000).fill(line(10)));
  world.intake.take({ ...killed, lines: 4000 }, 0);
  const marked = world.journalled(0).length;
  t.ok(marked > 0 && marked < 4000);
  world.restart();
  world.intake.take(valve.frame([line(20)]), 0);
  t.ok(world.commit(LATER));
  t.equal(imbalance(world.counters(0)), 0);
  t.match(world.counters(0), { in: 4001 });
  world.close();
  t.end();
});

await t.test('what is urgent goes to its lane, and says what went before it', (t) => {
  const world = new World(t.testdir());
  const valve = new Valve();
  const { directory } = world.settings.channels[0]!;
  const reader = new JournalReader(join(directory, 'urgent'), { epoch: 0, sequence: 0 });
  const after: [sequence: number, after: number][] = [];
  // Priorities 3 and 0, over several batches.
  for (const heads of [[0], [96, 0, 96, 96, 0, 0], [96], [0, 96]]) {
    const lines = heads.map((head) => line(10, 35, head));
    world.intake.take(valve.frame(lines), 0);
    t.ok(world.commit(LATER + after.length));
    const count = reader.read();
    for (const at of reader.offsets.subarray(0, count)) {
      t.equal(reader.buffer[at + KIND], URGENT);
      after.push([readU64(reader.buffer, at + SEQUENCE), readU64(reader.buffer, at + AFTER)]);
    }
    t.match(reader.header, { lane: 'urgent', channel: 'public' });
  }
  t.same(after, [
    [1, 0],
    [2, 1],
    [3, 3],
    [4, 3],
    [5, 4],
  ]);
  t.same(
    world.journalled(0).map((record) => record.split(' ')[0]),
    ['u1', '1', 'u2', '2', '3', 'u3', 'u4', '4', 'u5', '5'],
  );
  t.match(world.ledger.describe()[0], { journalled: 10, urgent: 5, emitted: 10 });
  reader.close();
  world.close();
  t.end();
});

await t.test('a rule that says so is urgent whatever priority it sends', (t) => {
  const policy = `
schema: tidegate-policy/v1
policy: { id: p, revision: 1 }
rules:
  - { name: loud, effect: permit, urgent: true, to: public, match: { class: 20 } }
  - { name: plain, effect: permit, to: public, match: { class: 10 } }
  - { name: quiet, effect: permit, to: public, match: { class: 30 },
      emit: { priority: zero, guid: keep } }
`;
  const world = new World(t.testdir(), undefined, undefined, [policy]);
  const lines = [line(20, 6, 96), line(10, 6, 96), line(10, 6, 0), line(30, 6, 96)];
  world.intake.take(new Valve().frame(lines), 0);
  t.ok(world.commit(LATER));
  t.same(
    world.journalled(0).map((record) => record.split(' ').slice(0, 3).join(' ')),
    ['u1 north p/loud', '1 north p/plain', 'u2 north p/plain', 'u3 north p/quiet'],
    'priority 0 is what is sent, not what came',
  );
  world.close();
  t.end();
});

await t.test('records of the relay that are not there are not taken from events', (t) => {
  const directory = t.testdir();
  const world = new World(directory);
  const own = (count: number): void => {
    for (let i = 0; i < count; i++) {
      world.outflow.turnTo(0);
      world.outflow.buffer.fill(0, world.outflow.at, world.outflow.at + DATA);
      world.outflow.appendOwn(DATA);
    }
  };
  own(3);
  world.intake.take(new Valve().frame([line(10)]), 0);
  t.ok(world.commit(LATER));
  t.match(world.ledger.describe()[0], { journalled: 4, emitted: 1, beacons: 3 });
  rmSync(join(directory, 'public'), { recursive: true });
  world.restart();
  const gone = {
    journalled: 0,
    permitted: 1,
    emitted: 0,
    beacons: 0,
    withheld: { interrupted: 1 },
  };
  t.match(world.ledger.describe()[0], gone);
  world.close();
  t.end();
});

await t.test('what is lost while a batch waits is counted, whatever becomes of the batch', (t) => {
  for (const found of [true, false]) {
    const world = new World(t.testdir());
    const valve = new Valve();
    world.intake.take(valve.frame([line(10), line(99)]), 0);
    t.ok(world.commit(LATER));
    let leaf: Logged | undefined;
    const append = (_: number, batch: Logged): boolean => {
      const copy = (all: readonly Float64Array[]) => all.map((vector) => vector.slice());
      const { counts, sums, sequences } = batch;
      leaf = { ...batch, counts: copy(counts), sums: copy(sums), sequences: sequences.slice() };
      return false;
    };
    Object.assign(world.ledger.audit!, { append, settle: () => false });
    world.intake.take(valve.frame([line(10), line(10), line(99)]), 0);
    t.equal(world.ledger.commit(LATER + 1000), 'waiting');
    world.intake.shedding = true;
    for (let i = 1; i <= 3; i++) {
      world.intake.take(valve.frame([line(10), line(10)]), 0);
      world.ledger.reserve(LATER + 1000 * (i + 1), (work) => world.intake.without(work));
    }
    const lost = { in: 11, permitted: 3, denied: 2, lost: { audit: 6 } };
    t.match(world.counters(0), lost);
    world.close();
    const changes = (vectors: readonly Float64Array[]) =>
      vectors.flatMap((vector, owner) => {
        return [...vector].map((value, name): [number, number, number] => [owner, name, value]);
      });
    const { batch, counts, sums, sequences } = leaf!;
    const beyond = (than: number) => {
      const start = {
        ...{ journals: world.ledger.names, sources: SOURCES, counters: COUNTERS },
        ...{ channels: CHANNELS, outcomes: OUTCOMES },
      };
      return {
        ...{ batch, time: LATER, start: start as unknown as Start, sequences: [...sequences] },
        ...{ counts: than < batch ? changes(counts) : [], sums: changes(sums) },
      };
    };
    const ledger = new Ledger(world.settings, [], found ? { beyond } : undefined);
    const counters = describeCounters(ledger.counters[0]!);
    const without = { in: 9, permitted: 1, denied: 2, lost: { audit: 6 } };
    t.match(counters, found ? lost : without, found ? 'its leaf is found' : 'it is not');
    t.equal(imbalance(counters), 0);
    ledger.close();
    // Nothing has come since: a mark that is as new counts.
    const again = new Ledger(world.settings, []);
    t.match(describeCounters(again.counters[0]!), found ? lost : without);
    again.close();
  }
  t.end();
});

await t.test('a gate that is killed while a batch waits leaves counters without it', (t) => {
  const world = new World(t.testdir());
  const [north, south] = [new Valve(), new Valve()];
  world.intake.take(north.frame([line(10), line(99)]), 0);
  t.ok(world.commit(LATER));
  const waiting = { append: () => false, settle: () => false };
  Object.assign(world.ledger.audit!, waiting);
  world.intake.take(north.frame([line(10), line(10, 35), line(99)]), 0);
  t.equal(world.ledger.commit(LATER + 1000), 'waiting');
  t.ok(world.ledger.waiting);
  world.intake.shedding = true;
  world.intake.take(south.frame([line(20), line(99)]), 1);
  world.ledger.reserve(LATER + 2000, (work) => world.intake.without(work));
  t.match(world.counters(0), { in: 5, permitted: 3 }, 'it is as it was');
  t.match(world.ledger.describe()[0], { journalled: 1, emitted: 1 });
  world.restart();
  t.match(world.counters(0), { in: 3, permitted: 1, denied: 2 });
  t.match(world.counters(1), { in: 2, denied: 1, lost: { audit: 1 } });
  world.intake.take(north.frame([line(99)]), 0);
  t.match(world.counters(0), { in: 6, permitted: 1, denied: 3, lost: { restart: 2 } });
  for (const source of [0, 1]) t.equal(imbalance(world.counters(source)), 0);
  t.match(world.ledger.describe()[0], { journalled: 1, permitted: 1, emitted: 1 });
  world.close();
  t.end();
});
