import t from 'tap';
import { drawPicture, type Picture } from '../../src/demo/view.js';

const PICTURE: Picture = {
  seconds: 3,
  seed: 1,
  state: '/state',
  board: 'http://127.0.0.1:8080/',
  sent: 10,
  tally: { in: 10, permitted: 4, denied: 6, malformed: 0, lost: 0 },
  gate: undefined,
  upper: undefined,
  supervisor: undefined,
  delivered: 4,
  duplicates: 0,
  account: undefined,
  protocol: '',
  down: { script: 52, after: 0 },
  connections: 1,
};

const seals = (missing?: string) =>
  (['users', 'namespaces', 'filters'] as const).map((seal) => {
    return missing === undefined
      ? { seal, inForce: true }
      : { seal, inForce: false, reason: missing };
  });
const show = (missing?: string, colours = false): string => {
  const supervisor = {
    time: 0,
    config: '',
    seals: seals(missing),
    gate: { state: 'up', starts: 1 } as const,
    certificates: [],
    lowers: [],
    uppers: [],
    processes: [],
  };
  return drawPicture({ ...PICTURE, supervisor }, colours).join('\n');
};

await t.test('the view shows the seals in force, and why there are none', (t) => {
  t.match(show(), '✓ users  ✓ namespaces  ✓ filters');
  t.match(
    show('bubblewrap is not installed'),
    /✗ users .*✗ filters {2}bubblewrap is not installed/,
  );
  t.notMatch(show('x'.repeat(500)), 'x'.repeat(71), 'a long reason is cut');
  t.notMatch(show(), '\x1b', 'no colours where none are wanted');
  t.match(show(undefined, true), '\x1b[32m✓ users');
  t.end();
});
