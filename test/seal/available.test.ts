import t from 'tap';
import { describeSeals, explainFailure } from '../../src/seal/available.js';

await t.test('the last words of what makes a sandbox become advice', (t) => {
  for (const [words, advice] of [
    [
      'bwrap: No permissions to create new namespace, likely because the kernel does not allow ' +
        'non-privileged user namespaces. On e.g. debian this can be enabled with ' +
        "'sysctl kernel.unprivileged_userns_clone=1'.",
      'kernel.unprivileged_userns_clone=1',
    ],
    ['bwrap: Creating new namespace failed: No space left on device', 'user.max_user_namespaces'],
    [
      'bwrap: setting up uid map: Permission denied',
      'kernel.apparmor_restrict_unprivileged_userns',
    ],
    ['bwrap: prctl(PR_SET_SECCOMP): Invalid argument (seccomp)', 'CONFIG_SECCOMP_FILTER'],
    ['bwrap: Failed to make / slave: Permission denied', 'deploy/container/'],
    ['bwrap: pivot_root: Operation not permitted', 'deploy/container/'],
    ['setpriv: setresuid failed: Invalid argument', "'uids'"],
    ['setpriv: failed to execute /usr/bin/bwrap: Permission denied', 'install --reinstall'],
    ['spawnSync /usr/bin/bwrap EACCES', 'install --reinstall'],
    ['Segmentation fault', 'Segmentation fault'],
  ] as const) {
    const said = explainFailure(words);
    t.match(said, advice);
    t.ok(said.includes(words), 'the words themselves are kept');
  }
  t.end();
});

await t.test('without sandboxes no seal is in force, and each says why', (t) => {
  for (const { seal, inForce, reason } of describeSeals('no bubblewrap')) {
    t.notOk(inForce, seal);
    t.equal(reason, 'no bubblewrap');
  }
  const all = describeSeals(undefined);
  t.same(
    all.map(({ seal }) => seal),
    ['users', 'namespaces', 'filters'],
  );
  t.equal(all[0]!.inForce, process.getuid!() === 0);
  t.match(all[0]!.reason ?? 'ordinary user', 'ordinary user');
  t.ok(all[1]!.inForce && all[2]!.inForce);
  t.end();
});
