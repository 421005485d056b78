import { cpSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import t from 'tap';
import { BARRIER_PATIENCE, MISSING_PATIENCE, QUIET } from '../../src/upper/sender.js';
import {
  checkSums,
  journal,
  lay,
  layIn,
  Link,
  NOTHING,
  openJournal,
  pass,
  range,
  type Reply,
  ScriptedServer,
} from './bench.js';

for (const window of [1, 2, 7, 1000]) {
  await t.test(`window ${window}: never more is outstanding, and all is settled`, (t) => {
    const bench = lay(t);
    journal(bench.writer, 50);
    const link = new Link(bench, new ScriptedServer(() => '+'), window);
    link.sender.pump();
    for (let answered = 0; answered < 50; answered++) {
      t.equal(link.server.waiting.length, Math.min(window, 50 - answered));
      t.ok(link.sender.waiting);
      link.answer();
    }
    t.notOk(link.sender.waiting);
    t.strictSame(link.server.seen, range(1, 50));
    t.strictSame(link.saved, { ...NOTHING, epoch: 1, sequence: 50, sent: 50, answered: 50 });
    t.strictSame([bench.resent, bench.rejects, link.sender.stray], [[], [], 0]);
    journal(bench.writer, 3);
    link.settle();
    t.strictSame(link.server.seen, range(1, 53));
    t.end();
  });

  for (const lines of ['-', '--'] as const) {
    for (const noop of ['+', '-', '--', ''] as const) {
      const name = `window ${window}, refusals of ${lines}, NOOP answered by '${noop}'`;
      await t.test(`${name}: each refusal is recorded, the rest is answered`, (t) => {
        const bench = lay(t);
        journal(bench.writer, 40);
        const bad = new Set([1, 5, 6, 7, 20, 39, 40]);
        const reply = (stamp: number): Reply => (bad.has(stamp) ? lines : '+');
        const link = new Link(bench, new ScriptedServer(reply, noop), window);
        link.settle();
        t.equal(bench.progress.sequence, 40);
        t.equal(bench.progress.answered, 40 - bad.size);
        t.strictSame(
          bench.rejects.map(([sequence]) => sequence),
          [...bad],
        );
        t.strictSame([...new Set(link.server.seen)], range(1, 40));
        checkSums(t, bench);
        t.notOk(link.sender.waiting);
        t.end();
      });
    }
  }
}

await t.test('what stays unclear in a window is asked one at a time', (t) => {
  const bench = lay(t);
  journal(bench.writer, 6);
  const replies: Reply[] = ['+', '-', '+', '--', '+', '+'];
  const link = new Link(bench, new ScriptedServer((stamp) => replies[stamp - 1]!), 6);
  link.sender.pump();
  link.answer(6);
  pass(QUIET);
  link.answer();
  t.equal(link.server.waiting.length, 1, 'one alone');
  t.ok(link.server.seen.length === 7 && link.server.seen[6]! <= 4);
  link.settle();
  t.equal(bench.progress.answered, 4);
  t.strictSame(
    bench.rejects.map(([sequence]) => sequence),
    [2, 4],
  );
  t.ok(bench.progress.resent > 0);
  t.equal(bench.progress.resent, link.server.seen.length - 6);
  checkSums(t, bench);
  t.end();
});

await t.test('the second line of the last refusal may come late: it settles nothing else', (t) => {
  for (const noop of ['+', ''] as const) {
    // By what was said until it was quiet: each SEND of the window has had an answer.
    for (const said of ['-', '+-', '++++-', '-+++-', '-+']) {
      const window = said.length;
      const signs = Array.from(said);
      const refused = range(1, window).filter((n) => signs[n - 1] === '-');
      const bench = lay(t);
      journal(bench.writer, window);
      const reply = (stamp: number): Reply => (refused.includes(stamp) ? '--' : '+');
      const link = new Link(bench, new ScriptedServer(reply, noop), window);
      link.sender.pump();
      link.server.waiting.length = 0;
      link.say(said);
      pass(QUIET);
      journal(bench.writer, 1);
      link.sender.pump();
      if (said.endsWith('-')) link.say('-');
      link.settle();
      const name = `'${said}', NOOP '${noop}'`;
      t.strictSame(
        bench.rejects.map(([sequence]) => sequence),
        refused,
        name,
      );
      t.equal(bench.progress.answered, window + 1 - refused.length, name);
      t.notOk(link.sender.waiting);
      t.equal(link.sender.stray, 0);
      // The stream of answers is in step: the next one is answered by its own.
      journal(bench.writer, 1);
      link.sender.pump();
      t.equal(bench.progress.sequence, window + 1, name);
      link.answer();
      t.equal(bench.progress.sequence, window + 2, name);
      link.drop();
    }
  }
  t.end();
});

await t.test('a slow answer is waited for: it is not taken for the next one', (t) => {
  const bench = lay(t);
  journal(bench.writer, 3);
  const link = new Link(bench, new ScriptedServer(() => '+'), 3);
  link.sender.pump();
  link.server.waiting.length = 0;
  link.say('+-');
  pass(MISSING_PATIENCE - 1);
  t.strictSame(link.server.seen, [1, 2, 3], 'nothing is asked again');
  link.say('+');
  link.settle();
  t.strictSame(link.server.seen, [1, 2, 3]);
  t.strictSame(
    bench.rejects.map(([sequence]) => sequence),
    [2],
  );
  t.equal(bench.progress.answered, 2);
  t.end();
});

await t.test('a NOOP that is never answered costs its patience once, not for each refusal', (t) => {
  const bench = lay(t);
  journal(bench.writer, 10);
  const link = new Link(bench, new ScriptedServer(() => '-', ''), 1);
  let waited = 0;
  link.sender.pump();
  while (bench.progress.refused < 10 && waited < 60_000) {
    if (link.server.waiting.length > 0) link.answer();
    else {
      pass(50);
      waited += 50;
    }
  }
  t.equal(waited, BARRIER_PATIENCE + 9 * QUIET);
  t.strictSame(link.server.seen, range(1, 10), 'and nothing is sent twice');
  t.end();
});

await t.test('a NOOP is never given up with a server that has answered one before', (t) => {
  const bench = lay(t);
  journal(bench.writer, 3);
  const link = new Link(bench, new ScriptedServer((stamp) => (stamp < 3 ? '-' : '+')), 1);
  link.sender.pump();
  for (let i = 0; i < 3; i++) link.answer();
  t.equal(bench.progress.refused, 1);
  t.strictSame(link.server.waiting, ['NOOP']);
  pass(4 * BARRIER_PATIENCE);
  t.strictSame(link.server.waiting, ['NOOP'], 'its late answer would be taken for that of a SEND');
  t.ok(link.sender.waiting, 'the session sees that an answer is owed');
  link.answer();
  t.equal(bench.progress.refused, 2);
  link.answer();
  t.equal(bench.progress.answered, 1);
  t.end();
});

await t.test('a NOOP that is answered costs no waiting', (t) => {
  const bench = lay(t);
  journal(bench.writer, 10);
  const link = new Link(bench, new ScriptedServer((stamp) => (stamp % 2 ? '-' : '--')), 1);
  link.sender.pump();
  for (let i = 0; i < 20; i++) link.answer();
  t.equal(bench.progress.refused, 10);
  t.strictSame(link.server.seen, range(1, 10));
  t.end();
});

await t.test('answers to nothing are counted and settle nothing', (t) => {
  const bench = lay(t);
  const link = new Link(bench, new ScriptedServer(() => '+'), 4);
  link.sender.pump();
  link.say('+-++');
  t.equal(link.sender.stray, 4);
  journal(bench.writer, 2);
  link.sender.pump();
  t.equal(link.server.waiting.length, 2);
  link.answer(2);
  link.say('-');
  t.equal(link.sender.stray, 5);
  t.equal(bench.progress.answered, 2);
  t.equal(bench.progress.refused, 0);
  t.end();
});

await t.test('a flood of -OK is bounded in memory and counted', (t) => {
  const bench = lay(t);
  journal(bench.writer, 1);
  const link = new Link(bench, new ScriptedServer(() => '+', ''), 1);
  link.sender.pump();
  link.say('-'.repeat(20_000));
  t.ok(link.sender.stray > 19_900);
  pass(BARRIER_PATIENCE);
  t.equal(bench.progress.refused, 1);
  t.end();
});

await t.test('each refusal is recorded with the words that the server had for it', (t) => {
  const bench = lay(t);
  journal(bench.writer, 3);
  const link = new Link(bench, new ScriptedServer(() => '+'), 1);
  link.sender.pump();
  for (const words of ['-OK first', '-OK second', '-OK third']) {
    link.server.waiting.length = 0;
    link.sender.take(false, words);
    link.sender.endRead();
    link.answer();
  }
  t.strictSame(bench.rejects, [
    [1, '-OK first'],
    [2, '-OK second'],
    [3, '-OK third'],
  ]);
  t.end();
});

await t.test(
  'after a break what was unanswered goes out again, byte for byte, and is named',
  (t) => {
    const bench = lay(t);
    journal(bench.writer, 30);
    const first = new Link(bench, new ScriptedServer(() => '+'), 8);
    first.sender.pump();
    first.answer(5);
    t.strictSame(first.server.seen, range(1, 13));
    first.drop();
    t.equal(bench.progress.sequence, 5);
    const second = new Link(bench, new ScriptedServer(() => '+'), 8);
    second.sender.pump();
    t.strictSame(bench.resent, [[6, 13]]);
    t.strictSame(second.server.seen, range(6, 13));
    for (const stamp of range(6, 13)) {
      t.equal(second.server.lines.get(stamp), first.server.lines.get(stamp));
    }
    second.settle();
    t.equal(bench.progress.resent, 8);
    t.equal(bench.progress.answered, 30);
    t.strictSame(bench.resent, [[6, 13]], 'what is sent for the first time is no resend');
    t.end();
  },
);

await t.test('a break at any point of an inquiry loses and invents nothing', (t) => {
  const replies: Reply[] = ['-', '+', '--', '+', '-', '--', '+'];
  const reply = (stamp: number): Reply => replies[stamp - 1]!;
  for (let steps = 0; steps < 40; steps++) {
    const bench = lay(t);
    journal(bench.writer, 7);
    const first = new Link(bench, new ScriptedServer(reply), 7);
    first.sender.pump();
    for (let i = 0; i < steps; i++) {
      if (first.server.waiting.length > 0) first.answer(1);
      else pass(QUIET);
    }
    first.drop();
    const settled = bench.progress.sequence;
    const second = new Link(bench, new ScriptedServer(reply), 7);
    second.settle();
    t.strictSame([...new Set(second.server.seen)], range(settled + 1, 7), `after ${steps} steps`);
    t.equal(bench.progress.answered, 3);
    t.equal(bench.progress.refused, 4);
    t.strictSame(
      bench.rejects.map(([sequence]) => sequence),
      [1, 3, 5, 6],
    );
    second.drop();
  }
  t.end();
});

await t.test('told to stop, it sends nothing more and still takes what is owed', (t) => {
  const bench = lay(t);
  journal(bench.writer, 20);
  const link = new Link(bench, new ScriptedServer(() => '+'), 4);
  link.sender.pump();
  link.sender.stop();
  link.answer(1);
  link.sender.pump();
  link.sender.resume();
  t.strictSame(link.server.seen, [1, 2, 3, 4]);
  t.ok(link.sender.waiting);
  link.answer(3);
  t.notOk(link.sender.waiting);
  t.strictSame(link.saved, { ...NOTHING, epoch: 1, sequence: 4, sent: 4, answered: 4 });
  t.strictSame(link.server.seen, [1, 2, 3, 4]);
  t.end();
});

await t.test('a connection that takes no more is written to no more', (t) => {
  const bench = lay(t);
  // More than one write's worth: 700 lines of about 1.1 KB.
  journal(bench.writer, 350, 0, 500);
  journal(bench.writer, 350, 0, 500);
  const link = new Link(bench, new ScriptedServer(() => '+'), 1000);
  link.full = true;
  link.sender.pump();
  t.equal(link.writes, 1);
  const sent = link.server.seen.length;
  t.ok(sent > 0 && sent < 350, `${sent} lines in the first write`);
  link.answer(10);
  link.sender.pump();
  t.equal(link.writes, 1, 'not even when the window would allow it');
  link.sender.resume();
  t.equal(link.writes, 2);
  link.full = false;
  link.sender.resume();
  link.settle();
  t.strictSame(link.server.seen, range(1, 700));
  t.equal(bench.progress.answered, 700);
  t.end();
});

await t.test('sequences that a power cut gave anew are new events, not resent ones', (t) => {
  for (const early of [false, true]) {
    const bench = lay(t);
    const copy = `${bench.directory}-copy`;
    journal(bench.writer, 5);
    mkdirSync(copy, { recursive: true });
    cpSync(bench.directory, copy, { recursive: true });
    journal(bench.writer, 5);
    const first = new Link(bench, new ScriptedServer(() => '+'), 4);
    first.settle();
    t.equal(bench.progress.sequence, 10);
    first.drop();
    // The disk forgot 6 to 10; the gate that started then journals other events under these.
    const writer = openJournal(copy);
    t.teardown(() => writer.close());
    const after = { ...bench, directory: copy, writer };
    const second = new Link(after, new ScriptedServer(() => '+'), 4);
    if (early) second.sender.pump();
    journal(writer, 5, 1);
    second.settle();
    t.strictSame(second.server.seen, range(1_000_006, 1_000_010));
    t.strictSame(bench.resent, [], early ? 'seen before its events were' : 'seen with its events');
    t.equal(bench.progress.resent, 0);
    t.equal(bench.progress.rewound, 5);
    t.equal(bench.progress.sequence, 10);
    second.drop();
  }
  t.end();
});

await t.test('a rewind that was seen is not seen again by a successor', (t) => {
  const bench = lay(t);
  const copy = `${bench.directory}-copy`;
  journal(bench.writer, 5);
  cpSync(bench.directory, copy, { recursive: true });
  journal(bench.writer, 5);
  const first = new Link(bench, new ScriptedServer(() => '+'), 4);
  first.settle();
  first.drop();
  const writer = openJournal(copy);
  t.teardown(() => writer.close());
  const after = { ...bench, directory: copy, writer };
  const second = new Link(after, new ScriptedServer(() => '+'), 4);
  second.sender.pump();
  second.say('');
  second.drop();
  const third = new Link(after, new ScriptedServer(() => '+'), 4);
  journal(writer, 5, 1);
  third.settle();
  t.equal(bench.progress.rewound, 5);
  t.strictSame(third.server.seen, range(1_000_006, 1_000_010));
  t.end();
});

await t.test('property: any answers, in any pieces, with breaks anywhere: the sums hold', (t) => {
  const step = fc.oneof(
    { weight: 12, arbitrary: fc.integer({ min: 1, max: 9 }).map((answer) => ({ answer })) },
    { weight: 3, arbitrary: fc.constantFrom({ wait: 60 }, { wait: QUIET }) },
    { weight: 1, arbitrary: fc.constant({ wait: BARRIER_PATIENCE }) },
    { weight: 3, arbitrary: fc.integer({ min: 1, max: 12 }).map((events) => ({ events })) },
    { weight: 1, arbitrary: fc.constant({ drop: true }) },
  );
  const replies = fc.array(fc.constantFrom<Reply>('+', '+', '+', '-', '--'), {
    minLength: 1,
    maxLength: 13,
  });
  let run = 0;
  const root = t.testdir({});
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 6 }),
      replies,
      fc.constantFrom<Reply>('+', '-', ''),
      fc.array(step, { maxLength: 60 }),
      (window, pattern, noop, steps) => {
        const directory = join(root, String(++run));
        const bench = layIn(directory);
        const { writer } = bench;
        const reply = (stamp: number): Reply => pattern[stamp % pattern.length]!;
        const lines = new Map<number, string>();
        const order: number[] = [];
        let link = new Link(bench, new ScriptedServer(reply, noop), window);
        const collect = (): void => {
          for (const stamp of link.server.seen) if (!order.includes(stamp)) order.push(stamp);
          for (const [stamp, line] of link.server.lines) {
            const known = lines.get(stamp);
            if (known !== undefined && known !== line) t.fail(`${stamp} is not what it was`);
            lines.set(stamp, line);
          }
          link.drop();
        };
        let silent = 0;
        for (const action of steps) {
          if ('answer' in action) link.answer(action.answer);
          else if ('wait' in action) {
            // Whatever the server says, it says within QUIET.
            for (let rest = action.wait; rest > 0; rest -= 60) {
              silent += 60;
              if (silent >= QUIET - 60) {
                link.answer(Infinity);
                silent = 0;
              }
              pass(60);
            }
          } else if ('events' in action) {
            journal(writer, action.events);
            link.sender.pump();
          } else {
            collect();
            link = new Link(bench, new ScriptedServer(reply, noop), window);
            link.sender.pump();
          }
          checkSums(t, bench);
        }
        collect();
        link = new Link(bench, new ScriptedServer(reply, noop), window);
        link.settle();
        collect();
        writer.close();
        const all = range(1, writer.sequence);
        const refused = all.filter((sequence) => reply(sequence) !== '+');
        const recorded = bench.rejects.map(([sequence]) => sequence);
        const { answered } = bench.progress;
        // Every event was seen, for the first time in order; what is recorded was refused.
        const found = { order, recorded, answered };
        const expected = { order: all, recorded: refused, answered: all.length - refused.length };
        if (!t.strictSame(found, expected)) throw new Error('the sums do not hold');
      },
    ),
    { numRuns: 300 },
  );
  t.end();
});
