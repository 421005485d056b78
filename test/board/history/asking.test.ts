import { Worker } from 'node:worker_threads';
import t from 'tap';
import { Asking } from '../../../src/board/history/asking.js';

const recent = { kind: 'recent' } as const;

/** Threads of this code, which finds `port` and `question`. */
function asking(
  code: string,
  limits = { waiting: 3, ms: 300 },
): { asking: Asking; begun: number[] } {
  const begun: number[] = [];
  const whole = `
    const { parentPort: port } = require('node:worker_threads');
    port.on('message', (question) => { if (question === 'close') port.close(); else {${code}} });`;
  const start = (): Worker => {
    const worker = new Worker(whole, { eval: true, execArgv: [] });
    begun.push(worker.threadId);
    return worker;
  };
  return { asking: new Asking(start, limits), begun };
}

await t.test('one is asked at a time, and answers are to their questions', async (t) => {
  const code = 'setTimeout(() => port.postMessage({ answer: question.since }), 5)';
  const { asking: it, begun } = asking(code, { waiting: 9, ms: 10_000 });
  const since = Array.from({ length: 10 }, (_, i) => i);
  const answers = since.map((i) => it.ask({ kind: 'events', since: i, limit: 1 }));
  await t.rejects(it.ask(recent), { message: 'busy' });
  t.same(await Promise.all(answers), since);
  t.match(it.counters, { questions: 11, busy: 1, slow: 0 });
  t.equal(begun.length, 1);
  await it.close();
  await t.rejects(it.ask(recent), /closed/);
});

await t.test(
  'a thread that does not answer is replaced, and the next question answered',
  async (t) => {
    for (const stuck of [
      'for (;;);',
      'Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)',
    ]) {
      const code = `if (question.kind === 'recent') {${stuck}} else port.postMessage({ answer: 7 })`;
      // Long enough for a thread to begin.
      const { asking: it, begun } = asking(code, { waiting: 3, ms: 2000 });
      const slow = t.rejects(it.ask(recent), /takes too long/);
      t.equal(await it.ask({ kind: 'events', since: 0, limit: 1 }), 7);
      await slow;
      t.equal(begun.length, 2);
      t.equal(it.counters.slow, 1);
      await it.close();
    }
  },
);

await t.test('a thread that ends is replaced', async (t) => {
  for (const end of ['process.exit(3)', "throw new Error('a bug')"]) {
    const { asking: it, begun } = asking(end, { waiting: 3, ms: 10_000 });
    await t.rejects(it.ask(recent), /ended with 3|a bug/);
    await t.rejects(it.ask(recent), /ended with 3|a bug/);
    t.equal(begun.length, 2);
    await it.close();
  }
});

await t.test('a database that was begun anew is asked once more', async (t) => {
  const code = `
    if (question.since === 1) port.postMessage({ error: 'damaged', damage: true });
    else setTimeout(() => port.postMessage({ answer: question.since }), 200);`;
  const { asking: it, begun } = asking(code, { waiting: 3, ms: 10_000 });
  await t.rejects(it.ask({ kind: 'events', since: 1, limit: 1 }), /damaged/);
  const answer = it.ask({ kind: 'events', since: 2, limit: 1 });
  it.restart();
  t.equal(await answer, 2);
  t.equal(begun.length, 3);
  await it.close();
});

await t.test('closing rejects what is open, even if the thread does not answer', async (t) => {
  const { asking: it } = asking('for (;;);', { waiting: 3, ms: 60_000 });
  const asked = Promise.allSettled([it.ask(recent), it.ask(recent)]);
  await it.close();
  for (const { status } of await asked) t.equal(status, 'rejected');
  await asking('').asking.close();
});
