import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { verifyLog } from '../../src/audit/verify.js';
import { formatVerifier } from '../../src/note/note.js';
import { checkpointOf, longStory, makeSigner, writeLog } from './build.js';
import { buildVerifier } from './go.js';

const work = t.testdir();
const { verifier, skip } = await buildVerifier(work);

await t.test('a verifier of other make agrees', { skip }, async (t) => {
  const signer = makeSigner();
  const story = longStory(signer, 100);
  const { leaves } = story;
  const older = join(work, 'older');
  writeFileSync(older, checkpointOf(leaves.slice(0, 300), [signer]));
  const note = readFileSync(older, 'utf8');
  const log = join(work, 'log');

  /** What both say: whether the log is right, as a continuation of the older checkpoint too. */
  const judge = (): { go: boolean; said: string; ours: boolean } => {
    const args = [log, formatVerifier(signer), older];
    const { status, stdout } = spawnSync(verifier, args, { encoding: 'utf8' });
    const { faults } = verifyLog(log, { keys: [signer], since: note });
    return { go: status === 0, said: stdout, ours: faults === 0 };
  };
  const fresh = (all: readonly Buffer[] = leaves, by = signer): void => {
    rmSync(log, { recursive: true, force: true });
    mkdirSync(log);
    writeLog(log, all, [by]);
  };
  const change = (name: string, how: (bytes: Buffer) => Buffer): void => {
    writeFileSync(join(log, name), how(readFileSync(join(log, name))));
  };

  await t.test('on logs of many sizes', (t) => {
    for (const size of [300, 301, 511, 512, 513, leaves.length]) {
      fresh(leaves.slice(0, size));
      t.match(judge(), { go: true, ours: true, said: `OK: ${size} leaves` }, String(size));
    }
    t.end();
  });

  await t.test('on every kind of damage', (t) => {
    const rejected = (name: string): void => {
      t.match(judge(), { go: false, ours: false, said: /^FAILED: / }, name);
    };
    for (const index of [0, 100, 255, 256, 400, leaves.length - 1]) {
      fresh();
      const at = leaves
        .slice(index - (index % 256), index)
        .reduce((n, each) => n + 2 + each.length, 0);
      const bundle = String(Math.floor(index / 256)).padStart(3, '0');
      const last = Math.floor(leaves.length / 256);
      const part = bundle === String(last).padStart(3, '0') ? `.p/${leaves.length % 256}` : '';
      change(`tile/entries/${bundle}${part}`, (bytes) => {
        bytes[at + 12]! ^= 4;
        return bytes;
      });
      rejected(`leaf ${index} edited`);
    }
    fresh();
    change('tile/entries/000', (bytes) => bytes.subarray(2 + leaves[0]!.length));
    rejected('a leaf removed');
    fresh();
    change('tile/entries/000', (bytes) => {
      const [a, b] = [2 + leaves[0]!.length, 2 + leaves[1]!.length];
      return Buffer.concat([bytes.subarray(a, a + b), bytes.subarray(0, a), bytes.subarray(a + b)]);
    });
    rejected('two leaves in another order');
    fresh();
    renameSync(join(log, 'tile/entries/000'), join(log, 'x'));
    renameSync(join(log, 'tile/entries/001'), join(log, 'tile/entries/000'));
    renameSync(join(log, 'x'), join(log, 'tile/entries/001'));
    rejected('two bundles in another order');
    fresh();
    change('tile/0/000', (bytes) => {
      bytes[77]! ^= 1;
      return bytes;
    });
    rejected('a hash edited');
    fresh(leaves.slice(0, 290));
    rejected('cut, and signed again');
    const signed = checkpointOf(leaves, [signer]);
    fresh(leaves.slice(0, 400));
    writeFileSync(join(log, 'checkpoint'), signed);
    rejected('cut, under the old signature');
    const others = leaves.with(3, leaves[4]!);
    fresh(others);
    rejected('rewritten, and signed again');
    writeFileSync(join(log, 'checkpoint'), signed);
    rejected('hashed anew, under the old signature');
    fresh(leaves, makeSigner());
    rejected('signed by another key');
    fresh();
    change('checkpoint', (bytes) => Buffer.from(bytes.toString().replace(/\n\d+\n/, '\n301\n')));
    rejected('another size, under the old signature');
    t.end();
  });
});
