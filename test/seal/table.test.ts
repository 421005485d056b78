import t from 'tap';
import { checkGrants } from '../../src/seal/table.js';
import { FD } from '../../src/wire/fd.js';

const UPPER = [FD.settings, FD.password, FD.key, FD.ca, FD.cert];

await t.test('a process is started with what the table grants, no more and no less', (t) => {
  checkGrants('lower', [FD.settings, FD.password], false, true);
  checkGrants('valve', [FD.pipe], true, false);
  const gate = [FD.settings, FD.policies];
  checkGrants('gate', [...gate, FD.pipe, FD.pipe + 1, FD.pipe + 63], false, false);
  checkGrants('checker', [FD.settings], false, false);
  checkGrants('dial', [FD.settings], false, true);
  checkGrants('upper', UPPER, true, false);
  const refused = (...args: Parameters<typeof checkGrants>): void => {
    t.throws(() => checkGrants(...args), /against the process table/, JSON.stringify(args));
  };
  refused('valve', [FD.pipe, FD.password], true, false);
  refused('valve', [FD.pipe], false, false);
  refused('valve', [FD.pipe], true, true);
  refused('gate', [...gate, FD.key], false, false);
  refused('gate', [...gate, FD.pipe], true, false);
  refused('gate', [FD.settings, FD.pipe], false, false);
  refused('gate', [...gate, FD.policies + 1], false, false);
  refused('checker', [FD.settings, FD.pipe], false, false);
  refused('checker', [FD.settings], false, true);
  refused('dial', [FD.settings, FD.key], false, true);
  refused('upper', [...UPPER, FD.pipe], true, false);
  refused('upper', UPPER.slice(1), true, false);
  refused('upper', UPPER, true, true);
  t.end();
});
