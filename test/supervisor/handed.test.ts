import { closeSync, fstatSync, readFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { openAll, upperFiles } from '../../src/supervisor/handed.js';
import { FD } from '../../src/wire/fd.js';

await t.test('an upper gets its files open: what was refused is for nobody else to read', (t) => {
  const directory = t.testdir({});
  const files = openAll(upperFiles(directory));
  t.same(
    Object.keys(files).map(Number),
    [FD.status, FD.cursor, FD.rejects, FD.rejects + 1, FD.lock].sort((a, b) => a - b),
  );
  for (const fd of [FD.rejects, FD.rejects + 1]) {
    t.equal(fstatSync(files[fd]!).mode & 0o077, 0);
    writeSync(files[fd]!, 'x');
  }
  t.equal(readFileSync(join(directory, 'rejects.1.jsonl'), 'utf8'), 'x');
  t.throws(() => openAll(upperFiles(directory)), /in use by pid/);
  for (const fd of Object.values(files)) closeSync(fd);
  const again = openAll(upperFiles(directory));
  t.equal(fstatSync(again[FD.rejects]!).size, 1, 'what was refused stays');
  for (const fd of Object.values(again)) closeSync(fd);
  t.end();
});
