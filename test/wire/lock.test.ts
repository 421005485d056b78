import { spawn, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';

const LOCK = fileURLToPath(new URL('../../dist/wire/lock.js', import.meta.url));

const holding = (path: string): string =>
  `import(${JSON.stringify(LOCK)}).then(({ lockFile }) => {` +
  `lockFile(${JSON.stringify(path)}); console.log('held'); setInterval(() => {}, 1000); })` +
  '.catch((error) => { console.log(error.message); process.exit(1); })';

await t.test(
  'a second holder is refused with the pid of the first, until that is killed',
  async (t) => {
    const path = join(t.testdir({}), 'lock');
    const first = spawn(process.execPath, ['-e', holding(path)], { stdio: ['ignore', 'pipe', 2] });
    await new Promise((resolve) => first.stdout!.once('data', resolve));
    const second = spawnSync(process.execPath, ['-e', holding(path)], { encoding: 'utf8' });
    t.equal(second.status, 1);
    t.equal(second.stdout, `the state directory is in use by pid ${first.pid!}: ${path}\n`);
    first.kill('SIGKILL');
    await new Promise((resolve) => first.once('exit', resolve));
    const third = spawn(process.execPath, ['-e', holding(path)], { stdio: ['ignore', 'pipe', 2] });
    const said = await new Promise<Buffer>((resolve) => third.stdout!.once('data', resolve));
    t.equal(said.toString(), 'held\n');
    third.kill('SIGKILL');
  },
);
