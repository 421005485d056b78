import { constants, openSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { Rejects } from '../../src/upper/rejects.js';

interface Reject {
  readonly time: string;
  readonly sequence: number;
  readonly class: number;
  readonly type: number;
  readonly answer: string;
}

function readAll(directory: string): Reject[] {
  return readdirSync(directory)
    .flatMap((name) => readFileSync(join(directory, name), 'latin1').split('\n'))
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Reject)
    .sort((a, b) => a.sequence - b.sequence);
}

/** The ring in a directory: its files are handed over open, and stay there. */
function open(directory: string, bound?: number): Rejects {
  const fds = [0, 1].map((i) => {
    return openSync(join(directory, `${i}.jsonl`), constants.O_RDWR | constants.O_CREAT, 0o600);
  });
  return new Rejects([fds[0]!, fds[1]!], bound);
}

const sizeOf = (directory: string): number =>
  readdirSync(directory).reduce((sum, name) => sum + statSync(join(directory, name)).size, 0);

await t.test('a refusal is one line that says when, what and the words of the server', (t) => {
  const directory = t.testdir({});
  const rejects = open(directory);
  rejects.add(1_795_336_886_892, 'routine', 17, 10, 6, '-OK - Invalid parameter');
  rejects.add(1_795_336_886_892, 'urgent', 18, 20, 1, '-OK');
  rejects.close();
  t.strictSame(readAll(directory), [
    {
      time: '2026-11-22T08:41:26.892Z',
      sequence: 17,
      class: 10,
      type: 6,
      answer: '-OK - Invalid parameter',
    },
    {
      time: '2026-11-22T08:41:26.892Z',
      lane: 'urgent',
      sequence: 18,
      class: 20,
      type: 1,
      answer: '-OK',
    },
  ]);
  t.end();
});

await t.test('the bound holds at every moment, and the newest half of it is always there', (t) => {
  const directory = t.testdir({});
  const bound = 4096;
  let rejects = open(directory, bound);
  for (let sequence = 1; sequence <= 400; sequence++) {
    rejects.add(0, 'routine', sequence, 65535, 65535, `-OK ${'x'.repeat((sequence * 37) % 300)}`);
    if (sizeOf(directory) > bound) t.fail(`${sizeOf(directory)} bytes at ${sequence}`);
    if (sequence % 29 === 0) {
      // A successor goes on where this one stopped.
      rejects.close();
      rejects = open(directory, bound);
    }
    const kept = readAll(directory).map((reject) => reject.sequence);
    const expected = Array.from({ length: kept.length }, (_, i) => sequence - kept.length + 1 + i);
    t.strictSame(kept, expected, 'the last ones, without a hole');
    if (sequence > 40) t.ok(kept.length >= 4);
  }
  t.ok(sizeOf(directory) > bound / 2 - 512);
  rejects.close();
  t.end();
});

await t.test('the text of the server is escaped and cut: a line is a line', (t) => {
  const directory = t.testdir({});
  const rejects = open(directory);
  const hostile = [
    '-OK \x1b]0;owned\x07\x1b[2J',
    '-OK "},{"sequence":99\n{"sequence":98}',
    `-OK ${'\x00'.repeat(1000)}`,
    `-OK ${'y'.repeat(1000)}`,
    '-OK \x9b31m \xff\x7f \\',
  ];
  hostile.forEach((text, i) => rejects.add(0, 'routine', i, 10, 6, text));
  rejects.close();
  const bytes = readdirSync(directory).map((name) => readFileSync(join(directory, name), 'latin1'));
  t.match(bytes.join(''), /^[\x20-\x7e\n]*$/);
  const all = readAll(directory);
  t.equal(all.length, hostile.length);
  t.equal(all[0]!.answer, '-OK \\x1b]0;owned\\x07\\x1b[2J');
  for (const { answer } of all) t.ok(answer.length <= 256);
  t.end();
});
