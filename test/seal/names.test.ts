import {
  chmodSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { Names } from '../../src/seal/view.js';

await t.test("the machine's name resolution is copied, and copied anew when it changes", (t) => {
  const directory = t.testdir({
    etc: { 'resolv.conf': 'nameserver 192.0.2.1\n', hosts: '127.0.0.1 localhost\n', shadow: 'no' },
    view: {},
  });
  const etc = join(directory, 'etc');
  const view = join(directory, 'view');
  chmodSync(join(etc, 'resolv.conf'), 0o600);
  for (const name of ['resolv.conf', 'hosts']) utimesSync(join(etc, name), 2, 2);
  const names = new Names(view, etc);
  t.same(readdirSync(view).sort(), ['hosts', 'resolv.conf'], 'and nothing else of the directory');
  t.equal(statSync(join(view, 'resolv.conf')).mode & 0o777, 0o644, 'for every process to read');
  const before = statSync(join(view, 'hosts')).ino;
  names.refresh();
  t.equal(statSync(join(view, 'hosts')).ino, before, 'what is the same is left alone');

  writeFileSync(join(etc, 'next'), 'nameserver 192.0.2.2\n');
  utimesSync(join(etc, 'next'), 1, 1);
  renameSync(join(etc, 'next'), join(etc, 'resolv.conf'));
  writeFileSync(join(etc, 'nsswitch.conf'), 'hosts: files dns\n');
  names.refresh();
  t.equal(readFileSync(join(view, 'resolv.conf'), 'utf8'), 'nameserver 192.0.2.2\n');
  t.same(readdirSync(view).sort(), ['hosts', 'nsswitch.conf', 'resolv.conf']);

  // Two writes within one tick of the file system's clock: the second must not be missed.
  const late = join(etc, 'hosts');
  writeFileSync(late, '127.0.0.1 half');
  const { mtime } = statSync(late);
  names.refresh();
  writeFileSync(late, '127.0.0.1 half.example\n');
  utimesSync(late, mtime, mtime);
  names.refresh();
  t.equal(readFileSync(join(view, 'hosts'), 'utf8'), '127.0.0.1 half.example\n');
  t.end();
});
