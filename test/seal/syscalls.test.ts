/** libseccomp as a second opinion on the numbers of system calls. */
import { spawnSync } from 'node:child_process';
import t from 'tap';
import { type Architecture, SYSCALLS, syscallNumber } from '../../src/seal/syscalls.js';

// Skipped without libseccomp's tool, unless everything is required: then it fails.
const required = process.env['TIDEGATE_REQUIRE_ALL'] === '1';
const resolve = (name: string, architecture: string): string =>
  spawnSync('scmp_sys_resolver', ['-a', architecture, name], { encoding: 'utf8' }).stdout;
const missing = spawnSync('scmp_sys_resolver', ['-h']).error !== undefined;
const needsResolver = !required && missing ? { skip: 'needs scmp_sys_resolver (seccomp)' } : {};

const NAMES: Readonly<Record<Architecture, string>> = { x64: 'x86_64', arm64: 'aarch64' };

for (const [architecture, name] of Object.entries(NAMES)) {
  await t.test(`the numbers of ${name} are those of libseccomp`, needsResolver, (t) => {
    for (const syscall of SYSCALLS) {
      const number = Number(resolve(syscall, name).trim() || NaN);
      // Negative: a call of another architecture, or of none.
      const expected = number < 0 ? undefined : number;
      t.equal(syscallNumber(syscall, architecture as Architecture), expected, syscall);
    }
    t.end();
  });
}

await t.test('no two names have one number', (t) => {
  for (const architecture of ['x64', 'arm64'] as const) {
    const numbers = SYSCALLS.map((name) => syscallNumber(name, architecture)).filter(
      (number) => number !== undefined,
    );
    t.equal(new Set(numbers).size, numbers.length, architecture);
  }
  t.end();
});
