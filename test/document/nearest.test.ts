import t from 'tap';
import { didYouMean, nearest } from '../../src/document/nearest.js';

await t.test('the nearest word is the one with the fewest differences', (t) => {
  t.equal(nearest('isue', ['init', 'issue']), 'issue');
  t.equal(nearest('INIT', ['issue', 'init']), 'init');
  t.equal(nearest('x'.repeat(100_000), ['init', 'issue']), undefined);
  t.equal(nearest('xyzzy', ['init', 'issue']), undefined);
  t.equal(didYouMean('hots', ['host', 'port']), "; did you mean 'host'?");
  t.equal(didYouMean('xyzzy', ['host', 'port']), '');
  t.end();
});
