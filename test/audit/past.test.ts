import t from 'tap';
import { decodeLeaf, type Leaf } from '../../src/audit/leaf.js';
import { Past } from '../../src/audit/past.js';
import type { Found } from '../../src/audit/tail.js';
import { Story } from './build.js';

await t.test('a revision that was in force is known, however long ago', (t) => {
  const files = (id: string, revision: number) => ({
    files: [{ id, revision, sha256: 'a'.repeat(64) }],
  });
  const story = new Story().start().policies(0, files('x', 5));
  for (let i = 0; i < 300; i++) story.start().policies(0, files('y', i));
  const found: Pick<Found, 'size' | 'leaf'> = {
    size: story.leaves.length,
    leaf: (index): Leaf => decodeLeaf(story.leaves[index]!),
  };
  t.same(new Past(found).revisions, new Map(Object.entries({ y: 299, x: 5 })));
  t.end();
});
