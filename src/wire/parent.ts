/** Death with the parent: the kernel signals a child when the process that started it is gone. */
import { existsSync } from 'node:fs';

const SETPRIV = '/usr/bin/setpriv';

/**
 * A command line that the kernel ends with its parent (prctl(2), PR_SET_PDEATHSIG), through
 * util-linux's setpriv; unchanged where that is missing.
 *
 * @param signal KILL for what must not outlive its parent, TERM for what has an orderly end
 */
export function withParent(
  command: readonly [string, ...string[]],
  signal: 'KILL' | 'TERM',
): [string, string[]] {
  if (!existsSync(SETPRIV)) return [command[0], command.slice(1)];
  return [SETPRIV, ['--pdeathsig', signal, '--', ...command]];
}
