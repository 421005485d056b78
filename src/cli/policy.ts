/** `tidegate policy`: everything about policy files that needs no relay. */
import { type Command, runGroup } from './group.js';
import type { Io } from './io.js';
import { policyCheck } from './policy-check.js';
import { policyExplain } from './policy-explain.js';
import { policyImport } from './policy-import.js';
import { policyKeygen } from './policy-keygen.js';
import { policySchema } from './policy-schema.js';
import { policySign } from './policy-sign.js';
import { policyTest } from './policy-test.js';
import { policyVerify } from './policy-verify.js';

export const POLICY_HELP = `tidegate policy - check, test, explain and sign policy files

Usage: tidegate policy COMMAND [OPTIONS]

  check     say what is wrong or hazardous in policies
  test      run the tests that stand in policy files
  explain   say what becomes of an event, and why
  schema    print a JSON Schema, so that an editor completes and checks while you type
  import    turn VSCP's decision matrix into a policy
  keygen    make the key that a person signs policies with
  sign      sign policies, so that nobody alone can change them
  verify    say who has signed policies

None of them needs a relay or a server. 'tidegate policy COMMAND --help' for one of them.

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

const COMMANDS: Readonly<Record<string, Command>> = {
  check: policyCheck,
  test: policyTest,
  explain: policyExplain,
  schema: policySchema,
  import: policyImport,
  keygen: policyKeygen,
  sign: policySign,
  verify: policyVerify,
};

/**
 * Runs `tidegate policy`; returns the exit code.
 *
 * @param args what follows `policy` on the command line
 */
export function policy(args: readonly string[], io: Io): Promise<number> {
  return runGroup('policy', COMMANDS, POLICY_HELP, args, io);
}
