import { execFileSync } from 'node:child_process';
import { closeSync, constants, openSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { Outlet } from '../../src/cli/outlet.js';

/** A pipe whose ends do not wait. */
function makePipe(t: Test): { read: number; write: number } {
  const path = join(t.testdir({}), 'pipe');
  execFileSync('mkfifo', [path]);
  const read = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  const write = openSync(path, constants.O_WRONLY | constants.O_NONBLOCK);
  t.teardown(() => closeSync(write));
  return { read, write };
}

function readAll(fd: number): string {
  const buffer = Buffer.alloc(65_536);
  try {
    return buffer.toString('utf8', 0, readSync(fd, buffer));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EAGAIN') return '';
    throw error;
  }
}

await t.test('a reader that is slow gets all that fits, and the number of the rest', async (t) => {
  const { read, write } = makePipe(t);
  t.teardown(() => closeSync(read));
  const outlet = new Outlet(write);
  outlet.say('first');
  await outlet.drained();
  t.equal(readAll(read), 'first\n');
  const COUNT = 3000;
  for (let i = 0; i < COUNT; i++) outlet.say(`${i} ${'x'.repeat(995)}`);
  let text = '';
  const done = new AbortController();
  void outlet.drained().then(() => {
    done.abort();
  });
  while (!done.signal.aborted) {
    text += readAll(read);
    await sleep(1);
  }
  text += readAll(read);
  const lines = text.trimEnd().split('\n');
  const words = lines.filter((line) => !/^\d+ x+$/.test(line));
  t.equal(words.length, 1);
  const dropped = Number(/^\.\.\. (\d+) lines are not shown/.exec(words[0]!)?.[1]);
  t.equal(lines.length - 1 + dropped, COUNT);
  t.ok(dropped > 1000, `${dropped} dropped`);
  outlet.say('last');
  await outlet.drained();
  t.equal(readAll(read), 'last\n');
});

await t.test('a reader that is gone ends nothing', async (t) => {
  const { read, write } = makePipe(t);
  const outlet = new Outlet(write);
  for (let i = 0; i < 500; i++) outlet.say('x'.repeat(1000));
  closeSync(read);
  await outlet.drained();
  outlet.say('to nobody');
  await outlet.drained();
  t.pass('nothing is thrown, and nobody waits');
});
