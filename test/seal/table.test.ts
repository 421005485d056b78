import t from 'tap';
import { checkGrants } from '../../src/seal/table.js';
import { FD } from '../../src/wire/fd.js';

const UPPER = [
  ...[FD.settings, FD.password, FD.key, FD.ca, FD.cert],
  ...[FD.lock, FD.status, FD.cursor, FD.rejects, FD.rejects + 1],
];

await t.test('a process is started with what the table grants, no more and no less', (t) => {
  checkGrants('lower', [FD.settings, FD.password], false, true);
  checkGrants('valve', [FD.pipe], true, false);
  const gate = [FD.settings, FD.policies, FD.key, FD.lock];
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
  refused('gate', [...gate, FD.password], false, false);
  refused('gate', [...gate, FD.pipe], true, false);
  refused('gate', [FD.settings, FD.pipe], false, false);
  refused('gate', [FD.settings, FD.policies, FD.pipe], false, false);
  refused('gate', [...gate, FD.lock + 1], false, false);
  refused('checker', [FD.settings, FD.pipe], false, false);
  refused('checker', [FD.settings], false, true);
  refused('dial', [FD.settings, FD.key], false, true);
  refused('upper', [...UPPER, FD.policies], true, false);
  refused('upper', [...UPPER, FD.rejects + 2], true, false);
  for (const missing of UPPER) {
    refused(
      'upper',
      UPPER.filter((fd) => fd !== missing),
      true,
      false,
    );
  }
  refused('upper', UPPER, true, true);
  t.end();
});
