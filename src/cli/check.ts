/** `tidegate check`: whether a relay would start with this configuration. */
import { checkFiles } from '../config/check.js';
import { loadConfig } from '../config/config.js';
import { DocumentError } from '../document/document.js';
import { namesOf } from '../signing/signers.js';
import { parseStrictly, refuseExtra } from './arguments.js';
import type { Io } from './io.js';

export const CHECK_HELP = `tidegate check - say whether a configuration is right

Usage: tidegate check [-c FILE]

Reads the configuration and everything that it names: policies, who signed them, passwords, keys,
certificates; runs the policies' tests. Hazards that a policy leaves open are found by 'tidegate
policy check'.
Prints 'configuration OK' and exits 0, or says what is wrong as file:line:column and exits 1.
Nothing is started, nothing is connected to.

  -c, --config FILE   the configuration; default ./tidegate.yaml
  -h, --help          this text

Example:
  tidegate check -c /etc/tidegate/tidegate.yaml`;

/** Runs `tidegate check`; returns the exit code. */
export function check(args: readonly string[], io: Io): number {
  const { values, positionals } = parseStrictly(args, {
    config: { type: 'string', short: 'c', default: 'tidegate.yaml' },
    help: { type: 'boolean', short: 'h', default: false },
  });
  if (values.help) {
    io.out(CHECK_HELP);
    return 0;
  }
  refuseExtra(positionals);
  try {
    const config = loadConfig(values.config);
    const { compiled, signers } = checkFiles(config);
    const fed = new Set(
      compiled.rules
        .flatMap(({ effect, to }) => (effect === 'permit' ? to! : []))
        .map(({ text }) => text),
    );
    for (const { name } of config.channels) {
      if (!fed.has(name)) io.err(`warning: no rule permits anything for channel '${name}'`);
    }
    io.out('configuration OK');
    const count = (n: number, what: string): string => `${n} ${what}${n === 1 ? '' : 's'}`;
    io.out(
      [
        count(config.lowers.length, 'lower'),
        count(config.policies.length, 'policy file'),
        count(compiled.rules.length, 'rule'),
        count(config.channels.length, 'channel'),
        count(config.uppers.length, 'upper'),
      ].join(', '),
    );
    if (signers.length > 0) io.out(`policies signed by ${namesOf(signers)}`);
    return 0;
  } catch (error) {
    io.err(describeError(error, values.config));
    return 1;
  }
}

const WORDS: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file; name the configuration with -c FILE',
  EACCES: 'permission denied',
  EISDIR: 'it is a directory',
};

/** What is wrong, and with which file. */
export function describeError(error: unknown, file: string): string {
  if (error instanceof DocumentError) return error.message;
  const { code, message } = error as NodeJS.ErrnoException;
  return code === undefined ? message : `cannot read ${file}: ${WORDS[code] ?? code}`;
}
