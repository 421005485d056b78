import fc from 'fast-check';
import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { LogDirectory, LogError, readLines } from '../../src/audit/directory.js';
import { hashOfRange, proveInclusion, rootByInclusion } from '../../src/audit/proofs.js';
import { verifyLog } from '../../src/audit/verify.js';
import { findVoids, standing, walkLog } from '../../src/audit/walk.js';
import { leafHash, longStory, makeSigner, treeHash } from './build.js';

const signer = makeSigner();

await t.test('hashes come from tiles of every level, leaves from bundles', (t) => {
  const { leaves } = longStory(signer, 60).write(t.testdir());
  const log = new LogDirectory(t.testdirName);
  const size = leaves.length;
  const read = log.hashes(size);
  const root = treeHash(leaves.map(leafHash));
  t.same(Buffer.from(hashOfRange(0, size, read)), Buffer.from(root));
  for (const index of [0, 1, 255, 256, size - 1]) {
    t.same(Buffer.from(log.leaf(index, size)), leaves[index]);
    const proof = proveInclusion(index, size, read);
    const led = rootByInclusion(index, size, leafHash(leaves[index]!), proof);
    t.same(Buffer.from(led!), Buffer.from(root));
  }
  t.throws(() => log.leaf(size, size), LogError);
  t.equal([...walkLog(log, size)].length, size);
  t.equal([...log.leaves(size, 250)][0]!.index, 250);
  t.throws(() => [...walkLog(log, size + 256)], LogError);
  t.end();
});

await t.test('what was taken back stands no more', (t) => {
  const story = longStory(signer).write(t.testdir());
  const voids = findVoids(new LogDirectory(t.testdirName), story.leaves.length);
  t.match(voids, [{ journal: 'public', first: 9 }]);
  const { leaf } = voids[0]!;
  const range = { first: 7, count: 4 };
  t.equal(standing(voids, leaf - 1, 'public', range), 2);
  t.equal(standing(voids, leaf + 1, 'public', range), 4);
  t.equal(standing(voids, leaf - 1, 'archive', range), 4);
  t.equal(standing(voids, leaf - 1, 'public', { first: 12, count: 4 }), 0);
  t.end();
});

await t.test('lines are read a piece at a time', (t) => {
  const path = join(t.testdir(), 'lines');
  const most = 2 ** 20;
  const lines = Array.from({ length: 9000 }, (_, i) => `\u2014 ${i} \u00e9`);
  writeFileSync(path, lines.join('\n'));
  t.same([...readLines(path, most)], lines, 'characters are not torn');
  writeFileSync(path, `${lines.join('\n')}\n\n`);
  t.same([...readLines(path, most)], [...lines, '']);
  writeFileSync(path, Buffer.alloc(most, 'x'));
  t.ok([...readLines(path, most)][0]!.length < most / 2, 'a line that is too long is cut');
  writeFileSync(path, '');
  t.same([...readLines(path, most)], []);
  t.throws(() => [...readLines('/dev/zero', most)], /is no file/);
  t.throws(() => [...readLines(`${path}.none`, most)], /there is no file/);
  writeFileSync(path, Buffer.alloc(most + 1));
  t.throws(() => [...readLines(path, most)], /has more than/);
  t.end();
});

await t.test('what is no file is not waited for, and not followed out of memory', (t) => {
  const directory = t.testdir();
  const log = new LogDirectory(directory);
  t.throws(() => log.checkpoint(), LogError);
  execFileSync('mkfifo', [join(directory, 'checkpoint')]);
  t.throws(() => log.checkpoint(), /checkpoint is no file/);
  rmSync(join(directory, 'checkpoint'));
  symlinkSync('/dev/zero', join(directory, 'checkpoint'));
  t.throws(() => log.checkpoint(), /checkpoint is no file/);
  mkdirSync(join(directory, 'tile/entries/000'), { recursive: true });
  t.throws(() => log.bundle(0, 256), /is no file/);
  symlinkSync(join(directory, 'leaves'), join(directory, 'leaves'));
  t.throws(() => log.open(), /is no file/);
  rmSync(join(directory, 'leaves'));
  writeFileSync(join(directory, 'leaves'), Buffer.alloc(20_000_000));
  t.throws(() => log.open(), /has more than/);
  t.end();
});

/** Paths of all files below a directory. */
function filesOf(directory: string): string[] {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
}

await t.test('whatever stands in the files, there is a verdict, and it is right', (t) => {
  const directory = t.testdir();
  longStory(signer, 2).write(directory);
  const counted = filesOf(directory).filter((path) => !/leaves$|key\.pub$/.test(path));
  const change = fc.record({
    file: fc.nat(),
    at: fc.nat(),
    bytes: fc.uint8Array({ minLength: 1, maxLength: 8 }),
    how: fc.constantFrom('write' as const, 'cut' as const, 'insert' as const),
  });
  let faults = 0;
  fc.assert(
    fc.property(change, ({ file, at, bytes, how }) => {
      const path = counted[file % counted.length]!;
      const before = readFileSync(path);
      const place = at % before.length;
      const rest = how === 'write' ? bytes.length : 0;
      const parts = how === 'cut' ? [] : [bytes, before.subarray(place + rest)];
      const after = Buffer.concat([before.subarray(0, place), ...parts]);
      writeFileSync(path, after);
      try {
        const verdict = verifyLog(directory, { keys: [signer] });
        if (verdict.faults > 0) faults++;
        else if (!after.equals(before)) throw new Error(`${path}: nothing found`);
      } finally {
        writeFileSync(path, before);
      }
    }),
    { numRuns: 300 },
  );
  t.ok(faults > 250, `${faults} faults`);
  t.end();
});
