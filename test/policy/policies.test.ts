/** Every policy that the project ships parses, loads, passes its own tests, and tests all it says. */
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { compilePolicies } from '../../src/policy/compile.js';
import { parsePolicy } from '../../src/policy/parse.js';
import { lint } from '../../src/review/lint.js';
import { scopeOf } from '../../src/review/rehearsal.js';
import { tryPolicy } from '../../src/review/trial.js';

const FOLDER = fileURLToPath(new URL('../../policies/', import.meta.url));
const NOW = Date.parse('2026-06-01T12:00:00Z');
const FILES = readdirSync(FOLDER).filter((name) => name.endsWith('.yaml'));

/** Hazards that are the purpose of a policy, and said in it; of no other file any. */
const INTENDED: Readonly<Record<string, readonly string[]>> = {
  // The control room has to know which device it is.
  'alarms.yaml': ['raw-guid'],
  // Everything raw, but for two families.
  'archive.yaml': [
    'gnss-position',
    'mirror-guid',
    'permit-any',
    'permits-control',
    'permits-daemon',
    'permits-setvaluezone',
    'raw-guid',
    'raw-time',
  ],
  // A simulated plant has nobody to protect; it must run in any year.
  'demo.yaml': ['no-expiry', 'raw-guid', 'raw-time'],
};

const read = (name: string): string => readFileSync(FOLDER + name, 'utf8');
const policies = FILES.map((name) => parsePolicy(read(name), name));

await t.test('there are five to start from, and the one of the demo', (t) => {
  t.same(FILES.toSorted(), [
    'alarms.yaml',
    'archive.yaml',
    'demo.yaml',
    'on-event-send.yaml',
    'public-energy.yaml',
    'public-temperature.yaml',
  ]);
  t.end();
});

for (const policy of policies) {
  const name = policy.idField.file;
  await t.test(name, (t) => {
    t.equal(`${policy.id}.yaml`, name, 'its id is its name');
    t.match(
      read(name),
      /^# yaml-language-server: \$schema=\.\/tidegate-policy\.schema\.json\n/,
      'an editor finds the schema',
    );
    t.doesNotThrow(() => compilePolicies([policy], scopeOf([policy]), NOW));
    const { results, coverage } = tryPolicy(policy);
    t.ok(results.length > 0, 'it has tests');
    const complaints = [...results.flatMap((result) => result.complaints), ...coverage.complaints];
    t.same(
      complaints.map(({ field, message }) => field.error(message).message),
      [],
      'they pass, and each rule is hit and missed',
    );
    const forbids = policy.rules.filter(({ effect }) => effect === 'forbid');
    const forbidden = new Set(
      forbids.flatMap(({ arms }) =>
        arms.flatMap(({ classes }) => ('values' in classes ? [...classes.values] : [])),
      ),
    );
    t.same([...forbidden].sort(), [...[0, 512, 1024], ...[2, 514, 1034]].sort());
    t.end();
  });
}

await t.test('each rule says why, but for those of the demo that need no reason', (t) => {
  for (const { rules, id } of policies) {
    if (id === 'demo') continue;
    for (const rule of rules) t.type(rule.reason, 'string', rule.name);
  }
  t.end();
});

await t.test('the five load together', (t) => {
  const five = policies.filter(({ id }) => id !== 'demo');
  t.doesNotThrow(() => compilePolicies(five, scopeOf(five), NOW));
  t.end();
});

await t.test('no hazard is found in them but those that they are for', (t) => {
  for (const policy of policies) {
    const name = policy.idField.file;
    const codes = new Set(lint([policy], NOW).map(({ code }) => code));
    t.same([...codes].sort(), INTENDED[name] ?? [], name);
  }
  t.end();
});
