/** `tidegate policy`: everything about policy files that needs no relay. */
import { didYouMean } from '../document/nearest.js';
import { quote } from '../pki/options.js';
import { UsageError } from './arguments.js';
import type { Io } from './io.js';
import { policyCheck } from './policy-check.js';
import { policyExplain } from './policy-explain.js';
import { policyImport } from './policy-import.js';
import { policySchema } from './policy-schema.js';
import { policyTest } from './policy-test.js';

export const POLICY_HELP = `tidegate policy - check, test and explain policy files

Usage: tidegate policy COMMAND [OPTIONS]

  check     say what is wrong or hazardous in policies
  test      run the tests that stand in policy files
  explain   say what becomes of an event, and why
  schema    print a JSON Schema, so that an editor completes and checks while you type
  import    turn VSCP's decision matrix into a policy

None of them needs a relay, a server or a key. 'tidegate policy COMMAND --help' for one of them.

A policy says what goes up; what no rule permits stays inside. From an empty file to a relay:
  tidegate policy schema -o tidegate-policy.schema.json     so that the editor helps
  tidegate policy check hall.yaml                           until it prints 'policy OK'
  tidegate policy test hall.yaml --coverage                 until no rule has a gap
  tidegate check -c tidegate.yaml                           the whole configuration

A small policy:
  schema: tidegate-policy/v1
  policy: { id: hall, revision: 1, expires: 2027-03-31 }
  rules:
    - name: climate
      effect: permit
      to: public
      match: { class: CLASS1.MEASUREMENT, type: [TEMPERATURE, HUMIDITY] }
      emit: { value: keep, sensor: keep, time: { floor: 1m, of: relay } }
  tests:
    - name: a temperature goes up
      feed:
        - event: { class: CLASS1.ALARM, type: ALARM }
        - event: { class: CLASS1.MEASUREMENT, type: TEMPERATURE, value: 21, unit: celsius }
      expect: { rule: climate, emitted: 1 }`;

const COMMANDS: Readonly<
  Record<string, (args: readonly string[], io: Io) => number | Promise<number>>
> = {
  check: policyCheck,
  test: policyTest,
  explain: policyExplain,
  schema: policySchema,
  import: policyImport,
};

const KNOWN = Object.keys(COMMANDS);

/**
 * Runs `tidegate policy`; returns the exit code.
 *
 * @param args what follows `policy` on the command line
 */
export async function policy(args: readonly string[], io: Io): Promise<number> {
  const [name, ...rest] = args;
  if (name === '--help' || name === '-h' || name === 'help') {
    io.out(POLICY_HELP);
    return 0;
  }
  const command = name !== undefined && Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  const level = command ? `tidegate policy ${name!}` : 'tidegate policy';
  try {
    if (command) return await command(rest, io);
    if (name === undefined) throw new UsageError(`a command is missing: ${KNOWN.join(', ')}`);
    const hint = didYouMean(name, KNOWN) || `; known: ${KNOWN.join(', ')}`;
    throw new UsageError(`unknown command ${quote(name)}${hint}`);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    io.err(`${level}: ${error.message} (see ${level} --help)`);
    return 2;
  }
}
