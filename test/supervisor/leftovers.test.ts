import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdirSync, openSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { endHolders } from '../../src/supervisor/leftovers.js';
import { holderOf, lockFile } from '../../src/wire/lock.js';

await t.test('what holds a lock and belongs to nobody is ended', async (t) => {
  const path = join(t.testdir({}), 'lock');
  const fd = lockFile(path);
  const holder = spawn('/bin/sleep', ['1000'], { stdio: ['ignore', 'ignore', 'ignore', fd] });
  const other = spawn('/bin/sleep', ['1000'], { stdio: 'ignore' });
  t.teardown(() => other.kill());
  closeSync(fd);
  t.equal(holderOf(path), process.pid, 'it has inherited the lock');
  const ended = once(holder, 'exit');
  t.equal(endHolders(path), 1);
  t.same(await ended, [null, 'SIGKILL']);
  t.equal(holderOf(path), undefined);
  t.equal(other.exitCode, null, 'others are left alone');
  t.equal(endHolders(path), 0);
});

await t.test('the processes of a supervisor that lives are left alone', async (t) => {
  const directory = t.testdir({});
  const path = join(directory, 'lock');
  mkdirSync(join(directory, 'supervisor'));
  const main = join(directory, 'supervisor', 'main.js');
  writeFileSync(
    main,
    'require("child_process").spawn("sleep", ["9"], { stdio: ["pipe", 1, 2, 3] });',
  );
  const fd = openSync(path, 'w');
  const stdio = ['ignore', 'ignore', 'ignore', fd] as const;
  const supervisor = spawn(process.execPath, [main], { stdio: [...stdio] });
  await once(supervisor, 'spawn');
  closeSync(fd);
  t.equal(endHolders(path), 0);
  supervisor.kill('SIGKILL');
  await once(supervisor, 'exit');
});
