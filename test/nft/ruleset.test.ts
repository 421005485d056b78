import { spawnSync } from 'node:child_process';
import fc from 'fast-check';
import t from 'tap';
import { uidOf } from '../../src/config/identity.js';
import type { RulesetParts } from '../../src/nft/parts.js';
import { MAX_PASSWORD, renderRuleset } from '../../src/nft/ruleset.js';
import { type Link, partsOf } from './parts.js';

// Skipped where nft cannot look at rules, unless everything is required: then it fails.
const required = process.env['TIDEGATE_REQUIRE_ALL'] === '1';
const nft = (...args: string[]) => spawnSync('nft', args, { encoding: 'utf8' });
const refused = nft('list', 'tables').status !== 0;
const needsNft = !required && refused ? { skip: 'needs nft and the right to use it' } : {};

const rulesOf = (ruleset: string): string =>
  ruleset
    .split('\n')
    .filter((line) => !/^\s*#/.test(line))
    .join('\n');

function accept(ruleset: string): string {
  const { status, stderr } = spawnSync('nft', ['-c', '-f', '-'], {
    input: ruleset,
    encoding: 'utf8',
  });
  return status === 0 ? 'accepted' : stderr;
}

const QUAD = '0,65535,0,FF:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00';
const LOWERS: Link[] = [
  { name: 'a', host: '192.0.2.1' },
  { name: 'b', host: 'b.example', found: ['192.0.2.2', '2001:db8::2'], filter: QUAD, mask: QUAD },
  { name: 'c', host: '2001:db8::3', user: 'rülay "quoted" #'.replaceAll(' ', '') },
  { name: 'a-shared', host: '192.0.2.1', user: 'other' },
];
const UPPERS: Link[] = [
  { name: 'portal', host: 'upper.example', port: 9599, found: ['198.51.100.1', '2001:db8:1::1'] },
  { name: 'archive', host: '198.51.100.2', port: 9599 },
];
const PARTS = partsOf(LOWERS, UPPERS, { resolvers: ['127.0.0.53', '2001:db8::53'] });

/** Chains by name. */
function chainsOf(ruleset: string): Map<string, string[]> {
  const found = new Map<string, string[]>();
  for (const [, name, body] of ruleset.matchAll(/^ {2}chain (\S+) \{\n((?: {4}.*\n)*) {2}\}$/gm)) {
    const rules = body!.split('\n').map((line) => line.trim());
    found.set(
      name!,
      rules.filter((rule) => rule !== '' && !rule.startsWith('#')),
    );
  }
  return found;
}

await t.test('a ruleset replaces its table, whole', (t) => {
  const rules = rulesOf(renderRuleset(PARTS)).trim().split('\n');
  t.same(rules.slice(0, 3), [
    'table inet tidegate {}',
    'delete table inet tidegate',
    'table inet tidegate {',
  ]);
  t.equal(rules.at(-1), '}');
  t.equal(rules.filter((line) => /^\S/.test(line)).length, 4, 'and nothing beside it');
  t.end();
});

await t.test('chains that are named exist, chains that exist are reached', (t) => {
  const chains = chainsOf(renderRuleset(PARTS));
  const reached = new Set(
    [...chains.values()]
      .flat()
      .flatMap((rule) => [...rule.matchAll(/(?:goto|jump) ([^\s,]+)/g)].map(([, name]) => name!)),
  );
  t.same([...reached].sort(), [...chains.keys()].filter((name) => name !== 'output').sort());
  t.end();
});

await t.test('a chain ends with a verdict; only those for others go on', (t) => {
  for (const [name, rules] of chainsOf(renderRuleset(PARTS))) {
    if (name === 'output' || name === 'names') continue;
    t.match(rules.at(-1), /^accept$|^counter name "\S+" drop$/, name);
  }
  t.end();
});

await t.test('what is dropped is counted by a counter that exists, and each has a use', (t) => {
  const ruleset = rulesOf(renderRuleset(PARTS));
  const made = [...ruleset.matchAll(/^ {2}counter (\S+) \{\}$/gm)].map(([, name]) => name!);
  const drops = ruleset.split('\n').filter((line) => line.includes('drop'));
  for (const line of drops) t.match(line, /counter name ("|meta skuid map)/);
  const used = drops.flatMap((line) => [...line.matchAll(/"(\S+)"/g)].map(([, name]) => name!));
  // a-shared has no server of its own: what is wrong there is counted as a's.
  const idle = ['lower/a-shared/orphan', 'lower/a-shared/stranger'];
  t.same([...new Set([...used, ...idle])].sort(), [...made].sort());
  t.equal(new Set(made).size, made.length);
  t.end();
});

await t.test('each process has its own place', (t) => {
  const ruleset = renderRuleset(PARTS);
  const chains = chainsOf(ruleset);
  const { config } = PARTS;
  const relay = chains.get('relay')!.join('\n');
  config.lowers.forEach(({ name }, i) => {
    const uid = uidOf(config, 'lower', i);
    t.match(relay, `${uid} : goto lower/${name}/elsewhere`);
    t.match(relay, `${uidOf(config, 'valve', i)} : "valve/${name}"`);
    const makers = [...chains].filter(([, rules]) =>
      rules.includes(`meta skuid ${uid} goto lower/${name}/own`),
    );
    t.equal(makers.length, 1, name);
  });
  t.match(relay, `${uidOf(config, 'gate')} : "gate"`);
  t.same(chains.get('dial/portal'), [
    'ip daddr { 198.51.100.1 } tcp dport 9599 accept',
    'ip6 daddr { 2001:db8:1::1 } tcp dport 9599 accept',
    'jump names',
    'counter name "dial/portal" drop',
  ]);
  t.same(chains.get('dial/archive'), [
    'ip daddr { 198.51.100.2 } tcp dport 9599 accept',
    'counter name "dial/archive" drop',
  ]);
  t.same(chains.get('lower/a/elsewhere'), ['counter name "lower/a/elsewhere" drop']);
  t.same(chains.get('names'), [
    'ip daddr { 127.0.0.53 } meta l4proto { tcp, udp } th dport 53 accept',
    'ip6 daddr { 2001:db8::53 } meta l4proto { tcp, udp } th dport 53 accept',
  ]);
  const shared = chains.get('shared/0')!;
  t.ok(shared.includes(`meta skuid ${uidOf(config, 'lower', 0)} goto lower/a/own`));
  t.ok(shared.includes(`meta skuid ${uidOf(config, 'lower', 3)} goto lower/a-shared/own`));
  t.end();
});

await t.test('the script of a relay, and no password, stands in it', (t) => {
  const password = 'Ih8Passwords';
  const ruleset = renderRuleset(partsOf(LOWERS, UPPERS, { password }));
  t.match(ruleset, Buffer.from('USER relay\r\n').toString('hex'));
  t.notMatch(ruleset, password);
  t.notMatch(ruleset, Buffer.from(password).toString('hex'));
  t.match(ruleset, '# lower a: user 2000000100, 192.0.2.1 port 9598');
  t.match(ruleset, /# {3}script USER 12 \+ PASS 19 \+ RCVLOOP 9 bytes; budget 840 bytes/);
  t.match(ruleset, '# upper portal: user 2000000300, upper.example, found at 198.51.100.1 2001:');
  t.end();
});

await t.test('the same parts give the same text', (t) => {
  t.equal(
    renderRuleset(PARTS),
    renderRuleset(partsOf(LOWERS, UPPERS, { resolvers: ['127.0.0.53', '2001:db8::53'] })),
  );
  t.end();
});

await t.test('what the rules could not hold is refused', (t) => {
  const long = { password: 'x'.repeat(MAX_PASSWORD + 1) };
  t.throws(() => renderRuleset(partsOf(LOWERS, UPPERS, long)), {
    message: 'lower a: PASS takes more than 255 bytes',
  });
  const both = [{ name: 'portal', host: '192.0.2.1', port: 9598 }];
  t.throws(() => renderRuleset(partsOf(LOWERS, both)), {
    message: 'upper portal: 192.0.2.1 port 9598 is a lower server',
  });
  t.end();
});

const name = fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/);
const user = fc
  .string({ minLength: 1, maxLength: 30, unit: 'grapheme' })
  .filter((text) => !/[\s\p{C}\p{Zl}\p{Zp}]/u.test(text));
const KEYWORDS = ['drop', 'tcp', 'ip6', 'limit', 'add', '9', '0x1', 'a-', 'A_', 'inet'];

const anyParts: fc.Arbitrary<RulesetParts> = fc
  .record({
    names: fc.uniqueArray(fc.oneof(name, fc.constantFrom(...KEYWORDS)), {
      minLength: 1,
      maxLength: 4,
    }),
    users: fc.array(user, { minLength: 4, maxLength: 4 }),
    file: fc.string({ unit: 'binary', maxLength: 80 }),
    password: fc.integer({ min: 1, max: MAX_PASSWORD }).map((length) => 'x'.repeat(length)),
    hosts: fc.array(fc.oneof(fc.ipV4(), fc.ipV6()), { minLength: 4, maxLength: 4 }),
  })
  .map(({ names, users, file, password, hosts }) =>
    partsOf(
      names.map((name, i) => ({ name, host: hosts[i]!, user: users[i]! })),
      names.map((name, i) => ({ name, host: hosts[i]!, port: 9599 })),
      { file, password },
    ),
  );

await t.test('no name, user or file name gets out of its place', (t) => {
  fc.assert(
    fc.property(anyParts, (parts) => {
      const ruleset = renderRuleset(parts);
      const lines = ruleset.split('\n');
      t.notOk(/[\r\u0000-\u0009\u000b-\u001f]/.test(ruleset));
      const rules = lines.filter((line) => !/^\s*#/.test(line));
      for (const line of rules) t.match(line, /^[\x20-\x7e]*$/);
      t.equal(rules.filter((line) => /^[^\s}]/.test(line)).length, 3);
    }),
    { numRuns: 100 },
  );
  t.end();
});

await t.test('nft accepts it', needsNft, (t) => {
  t.equal(accept(renderRuleset(PARTS)), 'accepted');
  const many = Array.from({ length: 64 }, (_, i) => ({ name: `l${i}`, host: `192.0.2.${i}` }));
  const more = Array.from({ length: 64 }, (_, i) => ({ name: `u${i}`, host: `2001:db8::${i}` }));
  t.equal(accept(renderRuleset(partsOf(many, more))), 'accepted');
  const file = 'x\n}; flush ruleset\n"#';
  const name = 'a'.repeat(64);
  const odd = partsOf([{ name, host: '::1' }], UPPERS, {
    file,
    password: 'x'.repeat(MAX_PASSWORD),
  });
  t.equal(accept(renderRuleset(odd)), 'accepted');
  fc.assert(
    fc.property(anyParts, (parts) => accept(renderRuleset(parts)) === 'accepted'),
    { numRuns: 20 },
  );
  t.end();
});
