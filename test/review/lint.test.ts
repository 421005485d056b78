import fc from 'fast-check';
import t from 'tap';
import { contains, type GuidCube } from '../../src/policy/match.js';
import { parsePolicy } from '../../src/policy/parse.js';
import type { Policy, Rule } from '../../src/policy/policy.js';
import { type Finding, lint } from '../../src/review/lint.js';
import { Reach } from '../../src/review/reach.js';
import { runs } from '../arbitrary/runs.js';

const NOW = Date.parse('2026-06-01T12:00:00Z');

/** A careful policy around some rules: nothing to say about it but what the rules bring. */
function policyOf(rules: string, rest = '', id = 'p', expires = '2027-06-01'): string {
  return `schema: tidegate-policy/v1
policy: { id: ${id}, revision: 1, expires: ${expires} }
rules:
${rules
  .trim()
  .split('\n')
  .map((line) => `  - ${line.trim()}`)
  .join('\n')}
${rest}`;
}

const parse = (text: string, file = 'p.yaml'): Policy => parsePolicy(text, file);

function findings(...texts: readonly string[]): Finding[] {
  return lint(
    texts.map((text, i) => parse(text, i === 0 ? 'p.yaml' : `p${i + 1}.yaml`)),
    NOW,
  );
}

/** Codes but for that of tests, which most of these policies do without. */
function codes(...texts: readonly string[]): string[] {
  const found = findings(...texts).map(({ code }) => code);
  return found.filter((code) => code !== 'untested-rule');
}

const CAREFUL = 'emit: { value: keep, sensor: keep, time: { floor: 1m } }';
const NOTHING = 'emit: { time: relay }';
const SENT =
  'emit: { guid: { pseudonym: { key_file: key, prefix: "02:52/16" } }, ' +
  'value: { unit: kelvin, round: 0.5 }, sensor: keep, time: { floor: 1m } }';
const CLIMATE = `{ name: a, effect: permit, to: up, match: { class: 10, type: 6 }, ${CAREFUL} }`;

await t.test('a careful policy has no findings', (t) => {
  const text = policyOf(
    `{ name: climate, effect: permit, to: up, match: { class: "@MEASUREMENT", type: 6 }, ${SENT} }
    { name: never, effect: forbid, match: { class: ["@SECURITY", "@PROTOCOL"] } }`
      // 60 and 70 have no unit field and no sensor, 11..14 no units.
      .replace('"@MEASUREMENT"', '[10, 522, 1040, 1060]'),
    `tests:
  - name: t
    feed: { event: { class: 10, type: 6, value: 20, unit: celsius } }
    expect: { rule: climate }
  - name: u
    feed: { event: { class: 2, type: 1 } }
    expect: { rule: never }
`,
  );
  t.strictSame(findings(text), []);
  t.end();
});

const windowed = (type: string, unit: string, fn: string, rest: string): string =>
  `match: { class: 10, type: ${type} }, emit: { value: { unit: ${unit}, fn: ${fn} }, ` +
  `${rest.replace(/per: .*/, (per) => `window: { every: 1m, ${per} }`)} }`;

/** A code, a rule that has it, and near ones that have not; all else is as in `policyOf`. */
const PERMITS: readonly (readonly [code: string, bad: string, ...good: string[]])[] = [
  [
    'raw-guid',
    'match: { class: 20 }, emit: { guid: keep }',
    'match: { class: 20 }, emit: { priority: keep }',
    'match: { class: 20, guid: "02:52/16" }, emit: { guid: keep }',
    'match: { class: 20 }, emit: { guid: "02:52:4C:59:00:00:00:00:00:00:00:00:00:00:00:01" }',
    'match: { class: 20 }, emit: { guid: { pseudonym: { key_file: k, prefix: "02/8" } } }',
  ],
  [
    'mirror-guid',
    'match: { class: 532 }, emit: { data: keep }',
    'match: { class: 532 }, emit: { data: zero }',
    'match: { class: 532 }, emit: { data: [1, 2] }',
    'match: { class: 20 }, emit: { data: keep }',
    `match: { class: 522, type: 6 }, ${CAREFUL}`,
  ],
  [
    'raw-time',
    'match: { class: 20 }, emit: { time: keep }',
    'match: { class: 20 }, emit: { time: relay }',
    'match: { class: 20 }, emit: { time: { floor: 1s } }',
  ],
  [
    'permits-key',
    'match: { class: CLASS2.SECURITY }, emit: { data: keep }',
    'match: { class: CLASS2.SECURITY, type: 2 }, emit: { data: keep }',
    'match: { class: CLASS2.SECURITY }, emit: { data: zero }',
  ],
  [
    'permits-protocol',
    `match: { class: 1024 }, ${NOTHING}`,
    `match: { class: 1026 }, ${NOTHING}`,
    'match: { class: CLASS1.PROTOCOL }, emit: { class: 20, type: 1 }',
  ],
  [
    'permits-control',
    `match: { class: [20, CLASS1.CONTROL] }, ${NOTHING}`,
    'match: { class: CLASS1.CONTROL }, emit: { class: 20, type: 1 }',
    `match: { class: 20 }, ${NOTHING}`,
  ],
  [
    'permits-setvaluezone',
    `match: { class: 599 }, ${NOTHING}`,
    `match: { class: 596 }, ${NOTHING}`,
  ],
  ['permits-daemon', `match: { class: 65535 }, ${NOTHING}`, `match: { class: 65534 }, ${NOTHING}`],
  [
    'gnss-position',
    'match: { class: CLASS1.GNSS }, emit: { data: keep }',
    'match: { class: CLASS1.GNSS, type: SATELLITES }, emit: { data: keep }',
    `match: { class: CLASS1.GNSS }, ${NOTHING}`,
  ],
  [
    'gnss-position',
    'match: { class: 1040, type: POSITION }, emit: { value: { unit: latitude } }',
    'match: { class: 1040, type: POSITION }, emit: { value: { unit: latitude, round: 0.1 } }',
    'match: { class: 1040, type: ALTITUDE }, emit: { value: { unit: metre } }',
  ],
  [
    'gnss-position',
    'match: { class: 10 }, emit: { data: keep }',
    'match: { class: 10, type: [1, 6] }, emit: { data: keep }',
  ],
  [
    'window-unit',
    windowed('ANGLE', 'degree', 'mean', 'per: source'),
    windowed('ANGLE', 'degree', 'last', 'per: source'),
    windowed('HUMIDITY', 'percent', 'mean', 'per: source'),
  ],
  [
    'window-unit',
    windowed('SOUND_LEVEL', 'decibel', 'mean', 'per: source'),
    windowed('SOUND_LEVEL', 'decibel', 'max', 'per: source'),
  ],
  [
    'value-unit',
    `match: { class: 10, type: 6, value: { unit: kelvin, ge: 18, le: 30 } }, ${CAREFUL}`,
    `match: { class: 10, type: 6, value: { unit: celsius, ge: 18, le: 30 } }, ${CAREFUL}`,
    `match: { class: 10, type: 6, value: { unit: kelvin, ge: 291, le: 303 } }, ${CAREFUL}`,
  ],
  [
    'value-unit',
    `match: { class: 10, type: 6, value: { unit: celsius, ge: -300 } }, ${CAREFUL}`,
    `match: { class: 10, type: 6, value: { unit: celsius, ge: -200 } }, ${CAREFUL}`,
  ],
  [
    'value-unit',
    `match: { class: 10, type: HUMIDITY, value: { unit: percent, ge: 0, le: 1 } }, ${CAREFUL}`,
    `match: { class: 10, type: HUMIDITY, value: { unit: percent, ge: 0, le: 90 } }, ${CAREFUL}`,
  ],
  [
    'stream-lost',
    windowed('6', 'kelvin', 'mean', 'per: sensor'),
    windowed('6', 'kelvin', 'mean', 'sensor: keep, per: sensor'),
    windowed('6', 'kelvin', 'mean', 'per: source'),
    windowed('6, sensor: 2', 'kelvin', 'mean', 'per: sensor'),
  ],
  [
    'stream-lost',
    windowed('6', 'kelvin', 'mean', 'per: guid'),
    windowed(
      '6, guid: "02:52:4C:59:00:00:00:00:00:00:00:00:00:00:00:01"',
      'kelvin',
      'mean',
      'per: guid',
    ),
  ],
];

await t.test('permits: each hazard is found, and what is near it is not', (t) => {
  for (const [code, bad, ...good] of PERMITS) {
    const permit = (rest: string): string =>
      policyOf(`{ name: a, effect: permit, to: up, ${rest} }`);
    t.strictSame(codes(permit(bad)), [code], bad);
    for (const rest of good) t.strictSame(codes(permit(rest)), [], rest);
  }
  t.end();
});

await t.test(
  'everything urgent is nothing urgent: by the rule, or by the priority it says',
  (t) => {
    const urgent = (rest: string): object[] =>
      findings(policyOf(`{ name: a, effect: permit, to: up, ${rest} }`))
        .filter(({ code }) => code === 'urgent-any')
        .map(({ line, column, fix }) => ({ line, column, fix: fix.split(' ')[0] }));
    const any = 'match: { any: true }';
    t.strictSame(urgent(`urgent: true, ${any}`), [{ line: 4, column: 48, fix: 'name' }]);
    t.strictSame(urgent(`${any}, emit: { priority: zero }`), [
      { line: 4, column: 80, fix: 'keep' },
    ]);
    t.strictSame(urgent(`${any}, emit: { priority: 0 }`), [{ line: 4, column: 80, fix: 'keep' }]);
    t.strictSame(urgent(`urgent: true, ${any}, emit: { priority: 0 }`), [
      { line: 4, column: 48, fix: 'name' },
    ]);
    t.strictSame(urgent(`urgent: false, ${any}`), []);
    t.strictSame(urgent(`${any}, emit: { priority: 1 }`), []);
    t.strictSame(urgent('urgent: true, match: { class: "@ALARM" }'), []);
    t.end();
  },
);

await t.test('a permit is not blamed for what forbids stop', (t) => {
  const any = '{ name: a, effect: permit, to: up, match: { any: true }, emit: { data: keep } }';
  const all = ['permit-any', 'mirror-guid', 'gnss-position', 'permits-control', 'permits-key'];
  all.push('permits-protocol', 'permits-setvaluezone', 'permits-daemon');
  t.strictSame(new Set(codes(policyOf(any))), new Set(all));
  const without = (code: string, forbid: string): void => {
    const found = codes(policyOf(`${any}\n{ name: f, effect: forbid, ${forbid} }`));
    t.notOk(found.includes(code), `${forbid} stops ${code}`);
  };
  const remains = (code: string, forbid: string): void => {
    const found = codes(policyOf(`${any}\n{ name: f, effect: forbid, ${forbid} }`));
    t.ok(found.includes(code), `${forbid} leaves ${code}`);
  };
  without('permits-protocol', 'match: { class: "@PROTOCOL" }');
  without('permits-key', 'match: { class: 1034, type: SETKEY }');
  without('permits-key', 'to: up, match: { class: "@SECURITY" }');
  without('permits-control', 'match: { class: "@CONTROL", priority: [0, 1, 2, 3, 4, 5, 6, 7] }');
  without('permits-daemon', 'match: { raw: { filter: "0,65535,0,-", mask: "0,0xffff,0,-" } }');
  without('mirror-guid', 'match: { raw: { filter: "0,512,0,-", mask: "0,0xfe00,0,-" } }');
  remains('permits-protocol', 'match: { class: "@PROTOCOL", priority: [0, 1, 2, 3, 4, 5, 6] }');
  remains('permits-protocol', 'match: { class: "@PROTOCOL", size: { le: 4 } }');
  remains('permits-protocol', 'match: { class: "@PROTOCOL", source: plant }');
  remains('permits-protocol', 'match: { class: "@PROTOCOL", time: { zone: UTC, days: [mon] } }');
  remains('permits-protocol', 'match: { class: "@PROTOCOL", guid: "FF:FF/16" }');
  remains('permits-key', 'match: { class: 1034, type: 0 }');
  const other =
    '{ name: b, effect: permit, to: other, match: { class: 20 }, emit: { time: relay } }';
  t.ok(
    codes(
      policyOf(
        `${any}\n${other}\n{ name: f, effect: forbid, to: other, match: { class: "@PROTOCOL" } }`,
      ),
    ).includes('permits-protocol'),
    'a forbid for another channel stops nothing here',
  );
  t.notOk(
    codes(
      policyOf(any),
      policyOf('{ name: f, effect: forbid, match: { class: "@PROTOCOL" } }', '', 'q'),
    ).includes('permits-protocol'),
    'a forbid of another file stops it too: one relay loads both',
  );
  const keep = '{ name: a, effect: permit, to: up, match: { class: 20 }, emit: { guid: keep } }';
  const macs = '{ name: f, effect: forbid, match: { guid: "FF:FF:FF:FF:FF:FF:FF:FE/64" } }';
  const [finding] = findings(policyOf(`${keep}\n${macs}`)).filter(
    ({ code }) => code === 'raw-guid',
  );
  t.match(finding!.message, /IPv4/);
  t.notMatch(finding!.message, /MAC/);
  t.end();
});

await t.test('forbids: aliases that stay open, fields that are missing', (t) => {
  const permit = (match: string): string =>
    `{ name: a, effect: permit, to: up, match: { ${match} }, emit: { time: relay } }`;
  const forbid = (match: string): string => `{ name: f, effect: forbid, match: { ${match} } }`;
  const open = (p: string, f: string): Finding[] =>
    findings(policyOf(`${permit(p)}\n${forbid(f)}`)).filter(({ code }) => code === 'alias-open');
  const bare = open('class: "@SECURITY", priority: 1', 'class: CLASS1.SECURITY');
  t.match(bare, [{ fix: /"@SECURITY"/, message: /\(514\) and CLASS2.SECURITY \(1034\).*'p\/a'/ }]);
  t.strictSame(open('class: "@SECURITY", priority: 1', 'class: "@SECURITY"'), []);
  t.strictSame(open('class: "@SECURITY", priority: 1', 'class: [2, 514, 1034]'), []);
  t.strictSame(open('class: 20', 'class: CLASS1.SECURITY'), [], 'nothing lets the aliases out');
  t.strictSame(open('class: 514, priority: 1', 'class: 2, priority: 2'), []);
  t.match(open('class: 514', 'class: 2, zone: 3'), [{ code: 'alias-open' }]);
  t.strictSame(open('class: 514', 'class: "@SECURITY", zone: 3'), []);
  t.match(open('class: 515', 'class: 3'), [{ fix: /\[3, 515\]/ }], 'a class without a name');
  t.match(open('class: 1034, type: 1', 'class: CLASS1.SECURITY'), [{ code: 'alias-open' }]);
  t.strictSame(open('class: 1034, type: 1', 'class: 2, type: MOTION'), [], 'another type 1');
  t.match(open('class: 1040, type: 6', 'class: 10, type: TEMPERATURE'), [
    { fix: /"@MEASUREMENT"/ },
  ]);
  t.match(open('class: 514', 'raw: { filter: "0,2,0,-", mask: "0,0xffff,0,-" }'), [
    { code: 'alias-open' },
  ]);

  const missing = (f: string): boolean =>
    codes(policyOf(`${permit('class: 20')}\n${forbid(f)}`)).includes('forbid-by-missing');
  t.ok(missing('zone: 3'));
  t.ok(missing('sensor: { ge: 2 }, priority: 1'));
  t.ok(missing('class: 1034, subzone: 3'), 'a class that has none');
  t.notOk(missing('class: 20, zone: 3'));
  t.notOk(missing('class: "@SECURITY", zone: 3'));
  t.notOk(missing('priority: 1'));
  t.end();
});

await t.test('what is dead, unused, untested, or ends', (t) => {
  const lists = (use: string): string =>
    policyOf(
      `{ name: a, effect: permit, to: up, match: { class: 20, ${use} }, ${NOTHING} }`,
      'lists:\n  hall: ["02:01/16"]\n',
    );
  t.strictSame(codes(lists('guid: { in: $hall }')), []);
  t.match(
    findings(lists('priority: 1')).find(({ code }) => code === 'unused-list'),
    { line: 6, column: 3, fix: /\$hall/ },
  );

  const dead = `${CLIMATE}\n{ name: f, effect: forbid, match: { class: "@MEASUREMENT" } }`;
  t.strictSame(codes(policyOf(dead)), ['permit-dead']);
  t.strictSame(codes(policyOf(dead.replace('"@MEASUREMENT"', '10, type: 7'))), []);

  const tests = (rule: string): string =>
    `tests: [{ name: t, feed: { event: { class: ${rule}, type: 6 } }, expect: { rule: none } }]\n`;
  const untested = (text: string): Finding[] =>
    findings(text).filter(({ code }) => code === 'untested-rule');
  t.match(untested(policyOf(CLIMATE)), [{ line: 2, message: /no tests/ }]);
  t.match(untested(policyOf(CLIMATE, tests('20'))), [{ line: 4, column: 5, message: /'p\/a'/ }]);
  t.strictSame(untested(policyOf(CLIMATE, tests('10'))), []);
  const morning = 'match: { class: 20, time: { zone: UTC, daily: ["07:00-08:00"] } }';
  const timed = (every: string): string =>
    policyOf(
      `{ name: a, effect: permit, to: up, ${morning}, ${NOTHING} }`,
      'tests:\n  - { name: t, at: "2026-06-01T06:00:00Z", expect: { emitted: 0 }, feed: ' +
        `{ event: { class: 20, type: 1 }, repeat: 3, every: ${every} } }\n`,
    );
  t.strictSame(untested(timed('30m')), []);
  t.equal(untested(timed('20m')).length, 1);

  t.strictSame(codes(policyOf(CLIMATE).replace(', expires: 2027-06-01', '')), ['no-expiry']);
  t.strictSame(codes(policyOf(CLIMATE, '', 'p', '2026-06-30')), ['expires-soon']);
  t.strictSame(codes(policyOf(CLIMATE, '', 'p', '2026-07-01')), []);
  const ending = (date: string): string => CLIMATE.replace('name: a', `name: a, expires: ${date}`);
  t.match(findings(policyOf(ending('2026-06-01')))[1], { code: 'expires-soon', message: /today/ });
  t.strictSame(codes(policyOf(ending('2026-05-31'))), ['permit-expired']);
  t.strictSame(codes(policyOf(ending('2026-12-31'))), []);
  t.end();
});

await t.test('what does not load together is an error, at its place', (t) => {
  const errors = (...texts: readonly string[]): Finding[] =>
    findings(...texts).filter(({ severity }) => severity === 'error');
  t.match(errors(policyOf(CLIMATE), policyOf(CLIMATE)), [
    { code: 'not-loadable', file: 'p2.yaml', line: 2, column: 15, message: /^a second policy/ },
  ]);
  t.match(errors(policyOf(CLIMATE, '', 'p', '2026-05-31')), [{ message: /expired/ }]);
  const other = CLIMATE.replace('floor: 1m', 'floor: 2m');
  t.match(errors(policyOf(CLIMATE), policyOf(other, '', 'q')), [{ message: /differ in emit/ }]);
  t.strictSame(errors(policyOf(CLIMATE), policyOf(CLIMATE, '', 'q')), []);
  t.end();
});

await t.test('findings are in order, with codes in kebab-case and a fix each', (t) => {
  const rule = '{ name: a, effect: permit, to: up, match: { any: true } }';
  const found = findings(policyOf(rule), policyOf(rule, '', 'q'));
  for (const { code, fix, message, line, column } of found) {
    t.match(code, /^[a-z]+(-[a-z]+)+$/);
    t.ok(fix.length > 5 && message.length > 10 && line > 0 && column > 0, code);
  }
  const places = found.map(({ file, line, column }) => [file.length, line, column]);
  t.strictSame(
    places,
    places.toSorted((a, b) => a[0]! - b[0]! || a[1]! - b[1]! || a[2]! - b[2]!),
  );
  t.match(
    found.find(({ code }) => code === 'permit-any'),
    { line: 4, column: 54 },
  );
  t.end();
});

const classes = fc.constantFrom(2, 20, 514, 515);
const priority = fc.integer({ min: 0, max: 2 });
const type = fc.integer({ min: 0, max: 2 });
const prefix = fc.constantFrom('00/8', '01/8', '00:80/9', '00:00/9', '00:01/16');
const source = fc.constantFrom('s1', 's2');
const channel = fc.constantFrom('c1', 'c2');

const match = fc
  .oneof(
    fc.record(
      {
        class: fc.uniqueArray(classes, { minLength: 1 }),
        type: fc.uniqueArray(type, { minLength: 1 }),
        priority: fc.uniqueArray(priority, { minLength: 1 }),
        guid: fc.uniqueArray(prefix, { minLength: 1 }),
        source: fc.uniqueArray(source, { minLength: 1 }),
      },
      { requiredKeys: [] },
    ),
    fc.record({
      raw: fc
        .tuple(priority, classes, type, fc.constantFrom(0, 1, 512, 0xffff), priority)
        .map(([p, c, ty, mask, other]) => ({
          filter: `${p},${c},${ty},-`,
          mask: `1,${mask},${other},-`,
        })),
    }),
  )
  .map((keys) => (Object.keys(keys).length === 0 ? { any: true } : keys));

await t.test('reach says of single events exactly what the rules say, of more never less', (t) => {
  const rules = fc.record({
    permit: match,
    forbids: fc.array(fc.tuple(match, fc.option(channel)), { maxLength: 3 }),
  });
  const event = fc.record({
    class: classes,
    type,
    priority,
    first: fc.constantFrom(0, 1),
    source,
    channel,
  });
  const second = fc.constantFrom(0, 1, 0x80);
  fc.assert(
    fc.property(rules, event, second, ({ permit, forbids }, e, byte) => {
      const lines = [
        { name: 'p', effect: 'permit', to: ['c1', 'c2'], match: permit },
        ...forbids.map(([m, to], i) => ({
          name: `f${i}`,
          effect: 'forbid',
          ...(to !== null && { to }),
          match: m,
        })),
      ];
      const policy = parse(policyOf(lines.map((line) => JSON.stringify(line)).join('\n')));
      const guid = Uint8Array.from({ length: 16 }, (_, i) => [e.first, byte][i] ?? 0);
      const matches = (rule: Rule): boolean =>
        (rule.to?.some(({ text }) => text === e.channel) ?? true) &&
        rule.arms.some(
          (arm) =>
            contains(arm.classes, e.class) &&
            contains(arm.types, e.type) &&
            (arm.priorities & (1 << e.priority)) !== 0 &&
            (arm.sources?.has(e.source) ?? true) &&
            (arm.guids?.some((cube) => inCube(guid, cube)) ?? true),
        );
      const [first, ...rest] = policy.rules as [Rule, ...Rule[]];
      const passes = matches(first) && !rest.some(matches);
      const reach = new Reach([policy]);
      const point = {
        classes: [e.class],
        types: { values: new Set([e.type]) },
        priorities: 1 << e.priority,
        sources: new Set([e.source]),
        guids: [{ value: guid, mask: new Uint8Array(16).fill(255) }],
        channels: new Set([e.channel]),
      };
      if (reach.some(first, point) !== passes) return false;
      const wider = Object.keys(point).map((key) => ({ ...point, [key]: undefined }));
      return !passes || [...wider, {}].every((region) => reach.some(first, region));
    }),
    { numRuns: runs(1000) },
  );
  t.end();
});

function inCube(guid: Uint8Array, { value, mask }: GuidCube): boolean {
  return guid.every((byte, i) => ((byte ^ value[i]!) & mask[i]!) === 0);
}
