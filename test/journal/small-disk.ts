/** A disk of a few pages, to be filled up: a tmpfs where the tests may mount one. */
import { execFileSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, rmdirSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Test } from 'tap';

export interface SmallDisk {
  readonly directory: string;
  fill(): void;
  free(): void;
}

/**
 * Mounts a disk of `kilobytes`; where that is not allowed, ends the test as skipped.
 *
 * @param given that it is mounted on, and that stays; one of its own if not given
 * @throws Error instead if TIDEGATE_REQUIRE_ALL says that no test may be skipped
 */
export function mountSmallDisk(
  t: Pick<Test, 'plan' | 'teardown'>,
  kilobytes: number,
  given?: string,
): SmallDisk | undefined {
  // Not in t.testdir(), which is emptied before the teardown.
  const directory = given ?? mkdtempSync(join(tmpdir(), 'tidegate-disk-'));
  const leave = (): void => {
    if (given === undefined) rmdirSync(directory);
  };
  try {
    const options = ['-t', 'tmpfs', '-o', `size=${kilobytes}k`, 'tmpfs', directory];
    execFileSync('mount', options, { stdio: 'ignore' });
  } catch (error) {
    leave();
    if (process.env['TIDEGATE_REQUIRE_ALL'] === '1') throw error;
    t.plan(0, 'no tmpfs can be mounted here');
    return undefined;
  }
  t.teardown(() => {
    execFileSync('umount', ['-l', directory]);
    leave();
  });
  const ballast = join(directory, 'ballast');
  return {
    directory,
    fill: () => {
      const fd = openSync(ballast, 'a');
      try {
        for (;;) writeSync(fd, Buffer.alloc(4096));
      } catch {
        closeSync(fd);
      }
    },
    free: () => rmSync(ballast),
  };
}
