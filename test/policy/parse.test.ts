import assert from 'node:assert/strict';
import fc from 'fast-check';
import t from 'tap';
import { DocumentError } from '../../src/document/document.js';
import { compilePolicies } from '../../src/policy/compile.js';
import { EMIT_ALL } from '../../src/policy/policy.js';
import { MAX_RULES, parsePolicy } from '../../src/policy/parse.js';
import { type Match, matches, type NaiveRule, write } from './naive.js';
import { runs } from '../arbitrary/runs.js';

const SCOPE = { sources: ['plant-a', 'plant-b'], channels: ['public', 'press'] };

const GOOD = `# yaml-language-server: $schema=./tidegate-policy.schema.json
schema: tidegate-policy/v1
policy: { id: public-temperature, revision: 7, owner: ops@plant.example, expires: 2027-03-31 }
lists:
  public_subnets:
    - "FF:FF:FF:FF:FF:FF:FF:FE:B8:27:EB:10/96"
    - "FF:FF:FF:FF:FF:FF:FF:FE:B8:27:EB:20/96"
rules:
  - name: never-security
    effect: forbid
    match: { class: "@SECURITY" }
  - name: temperature
    effect: permit
    to: [public]
    reason: DPIA-2026-14
    match:
      source: [plant-a, plant-b]
      class: [CLASS1.MEASUREMENT, CLASS2.MEASUREMENT_FLOAT]
      type: TEMPERATURE
      guid: { in: $public_subnets }
    emit:
      guid: keep
      time: zero
  - name: all-else
    effect: permit
    to: press
    match: { any: true }
`;

/** What is wrong with a file, as line, column and words; compiled too if it parses. */
function complaint(...texts: string[]): string {
  try {
    compilePolicies(
      texts.map((text, i) => parsePolicy(text, `f${i}`)),
      SCOPE,
      Date.parse('2026-06-01T00:00:00Z'),
    );
    return 'fine';
  } catch (error) {
    assert.ok(error instanceof DocumentError, String(error));
    return error.message;
  }
}

/** Where the match stands on line 4 of the file below. */
const COLUMN = 51;

function withMatch(match: string, lists = ''): string {
  return `schema: tidegate-policy/v1
policy: { id: p, revision: 1 }
rules:
  - { name: r, effect: permit, to: public, match: ${match} }
${lists}`;
}

await t.test('a good file says exactly what it says', (t) => {
  const policy = parsePolicy(GOOD, 'good.yaml');
  t.equal(policy.id, 'public-temperature');
  t.equal(policy.revision, 7);
  t.equal(policy.owner, 'ops@plant.example');
  t.equal(policy.expires, Date.parse('2027-04-01T00:00:00Z'), 'its last day counts');
  const [never, temperature, rest] = policy.rules;
  t.equal(never!.name, 'public-temperature/never-security');
  t.equal(never!.effect, 'forbid');
  t.equal(never!.to, undefined);
  t.equal(never!.arms.length, 1);
  t.same(never!.arms[0]!.classes, { values: new Set([2, 514, 1034]) });
  t.same(never!.arms[0]!.types, { value: 0, mask: 0 });
  t.same(
    temperature!.to!.map(({ text }) => text),
    ['public'],
  );
  t.same(temperature!.emit, {
    ...EMIT_ALL,
    priority: 'keep',
    guid: 'keep',
    time: 'zero',
    data: new Uint8Array(0),
  });
  t.same(
    temperature!.arms.map(({ classes }) => classes),
    [{ values: new Set([10]) }, { values: new Set([1060]) }],
  );
  for (const arm of temperature!.arms) {
    t.same(arm.types, { values: new Set([6]) });
    t.same(arm.sources, new Set(['plant-a', 'plant-b']));
    t.equal(arm.priorities, 0xff);
    t.same(
      arm.guids!.map(({ value, mask }) => [value[11], [...mask]]),
      [0x10, 0x20].map((byte) => [byte, [...Array<number>(12).fill(255), 0, 0, 0, 0]]),
    );
  }
  t.same(rest!.arms, [
    {
      sources: undefined,
      priorities: 0xff,
      guids: undefined,
      classes: { value: 0, mask: 0 },
      types: { value: 0, mask: 0 },
    },
  ]);
  t.same(rest!.emit, EMIT_ALL);
  t.same(
    policy.rules.map(({ urgent }) => urgent),
    [false, false, false],
  );
  t.equal(complaint(GOOD), 'fine');
  t.end();
});

await t.test('a permit may be urgent, with its place', (t) => {
  for (const [words, expected] of [
    ['urgent: true', true],
    ['urgent: false', false],
    ['urgent: TRUE', true],
    ['reason: x', false],
  ] as const) {
    const text = withMatch('{ any: true }').replace('name: r', `name: r, ${words}`);
    const [rule] = parsePolicy(text, 'f').rules;
    t.equal(rule!.urgent, expected, words);
    const place = rule!.places.get('urgent')?.error('').message;
    t.equal(place, words.startsWith('urgent') ? 'f:4:24: ' : undefined);
    t.equal(complaint(text), 'fine');
  }
  t.end();
});

await t.test('every good spelling of a predicate is taken', (t) => {
  const guid = '"FF:FF:FF:FF:FF:FF:FF:FE:B8:27:EB:10:01:02:00:01"';
  for (const match of [
    '{ class: 0, type: 65535 }',
    '{ class: 0xA }',
    '{ class: "@MEASUREMENT", type: 0 }',
    '{ class: [CLASS1.IR, 10], type: [0, 7] }',
    '{ class: 10, type: VSCP_TYPE_MEASUREMENT_TEMPERATURE }',
    '{ class: 1040, type: [TEMPERATURE, 255] }',
    '{ class: SETVALUE, type: 6 }'.replace('SETVALUE', 'CLASS1.SETVALUEZONE'),
    '{ type: 6 }',
    '{ priority: [0, 7] }',
    '{ source: plant-a }',
    `{ guid: ${guid} }`,
    `{ guid: [${guid}, "::1", "-", "-:1,2", "*:5", "{FFFFFFFF-FFFF-FFFF-0102-03AABB440130}"] }`,
    '{ guid: ["80/1", "FF:FE/15", "0:0/16"] }',
    `{ guid: { in: ${guid} } }`,
    `{ guid: { in: [${guid}] } }`,
    `{ guid: { value: ${guid}, mask: "-:FF" } }`,
    '{ guid: { in: $mine } }',
    '{ raw: { filter: "0,10,6,-", mask: "0x7, 0xFFFF, 0, -" }, source: [plant-a] }',
    '{ any: true }',
  ]) {
    t.equal(complaint(withMatch(match, `lists: { mine: [${guid}, "FF/8"] }`)), 'fine', match);
  }
  t.end();
});

await t.test('a bad match names its place, here marked ^, and the way out', (t) => {
  const cases: [string, RegExp][] = [
    ['^{}', /^an empty match: to match every event, write 'any: true'$/],
    ['{ any: ^false }', /leave 'rules\[0\]\.match\.any' out, or write true/],
    ['{ any: ^yes }', /must be true or false/],
    ['{ any: ^true, class: 2 }', /'any: true' stands alone/],
    ['{ ^clas: 10 }', /^unknown key 'clas'; did you mean 'class'\?$/],
    ['{ ^typ: 10 }', /^unknown key 'typ'; did you mean 'type'\?$/],
    ['{ time: ^10 }', /rules\[0\]\.match\.time must be a map/],
    ['{ time: ^{ zone: UTC } }', /needs 'daily', 'days' or 'dates'/],
    ['{ time: ^{ days: [mon] } }', /needs 'zone'/],
    ['{ sensor: ^256 }', /must be 0 to 255, not 256/],
    ['{ zone: ^[] }', /must not be empty/],
    ['{ subzone: ^{} }', /needs 'ge', 'le', or both/],
    ['{ sensor: ^{ ge: 4, le: 3 } }', /nothing is at least 4 and at most 3/],
    ['{ zone: { ^gt: 4 } }', /^unknown key 'gt'; did you mean 'ge'/],
    ['{ class: 3, sensor: ^1 }', /no class of this match has such a field/],
    ['{ class: 10, zone: ^1 }', /no class of this match has such a field/],
    ['{ class: 10, sensor: ^[8, 9] }', /no class of this match has such a field/],
    ['{ size: ^513 }', /must be 0 to 512, not 513/],
    ['{ size: ^{ ge: 2, le: 1 } }', /nothing is at least 2/],
    ['{ class: 10, unit: ^celsius }', /means something only within a class and type/],
    ['{ type: 6, value: ^{ unit: celsius, ge: 1 } }', /only within a class and type/],
    ['{ class: 20, type: 6, unit: ^celsius }', /CLASS1\.INFORMATION carries no value/],
    ['{ class: 10, type: 6, unit: ^celcius }', /no unit 'celcius'; did you mean 'celsius'/],
    ['{ class: 10, type: 47, unit: ^celsius }', /no unit of type .* is known/],
    ['{ class: 10, type: 6, value: ^{ ge: 1 } }', /needs 'unit'/],
    ['{ class: 10, type: 6, value: ^{ unit: celsius } }', /needs a bound: ge, gt, le or lt/],
    ['{ class: 10, type: 6, value: { unit: celsius, ge: 1, ^gt: 1 } }', /'ge' or 'gt', not both/],
    ['{ class: 10, type: 6, value: { unit: celsius, le: 1, ^lt: 1 } }', /'le' or 'lt', not both/],
    ['{ class: 10, type: 6, value: ^{ unit: celsius, gt: 1, lt: 1 } }', /no value is within/],
    ['{ class: 10, type: 6, value: { unit: celsius, ge: ^.nan } }', /must be a number/],
    ['{ class: 10, type: 6, value: { unit: celsius, ge: ^.inf } }', /must be a number/],
    ['{ class: 10, type: [6, 16], unit: ^celsius }', /has no unit 'celsius'/],
    ['{ raw: { filter: "0,0,0,-", mask: "1,0,0,-" }, unit: ^celsius }', /only within a class and/],
    ['{ ^__proto__: 10 }', /^unknown key '__proto__'/],
    ['{ ^constructor: 10 }', /^unknown key 'constructor'/],
    ['{ ^<<: { class: 10 } }', /^unknown key '<<'/],
    ['{ class: 10, ^class: 11 }', /^a second key 'class'$/],
    ['{ class: ^65536 }', /must be 0 to 65535, not 65536/],
    ['{ class: ^-1 }', /must be 0 to 65535, not -1/],
    ['{ class: ^1.5 }', /must be a whole number/],
    ['{ class: ^.nan }', /must be a whole number/],
    ['{ class: ^.inf }', /must be a whole number/],
    ['{ class: ^-.inf }', /must be a whole number/],
    ['{ class: ^1e400 }', /must be a whole number/],
    ['{ class: ^18446744073709551626 }', /must be a whole number/],
    ['{ class: ^true }', /must be a whole number/],
    ['{ class: ^null }', /must be a whole number/],
    ['{ class: ^}', /must be a whole number/],
    ['{ class: ^{} }', /must be a single value/],
    ['{ class: ^[] }', /rules\[0\]\.match\.class must not be empty/],
    ['{ class: [10, ^[11]] }', /rules\[0\]\.match\.class\[1\] must be a single value/],
    ['{ class: ^"10" }', /^unknown class '10'/],
    [
      '{ class: ^CLASS1.MEASURMENT }',
      /^unknown class 'CLASS1\.MEASURMENT'; did you mean 'CLASS1\.MEASUREMENT'\?$/,
    ],
    ['{ class: [10, ^"@SECURTY"] }', /'@SECURTY'; did you mean '@SECURITY'\?$/],
    ['{ class: ^__proto__ }', /^unknown class '__proto__'/],
    ['{ class: ^"@__proto__" }', /^unknown class '@__proto__'/],
    ['{ type: ^TEMPERATURE }', /means something only within a class: add class/],
    ['{ type: ^[6, TEMPERATURE] }', /means something only within a class/],
    ['{ type: ^65536 }', /must be 0 to 65535/],
    ['{ class: 10, type: ^[] }', /must not be empty/],
    ['{ class: 2, type: ^TEMPERATURE }', /^class CLASS1\.SECURITY has no type 'TEMPERATURE'/],
    [
      '{ class: 10, type: [6, ^TEMPERATUR] }',
      /^class CLASS1\.MEASUREMENT has no type 'TEMPERATUR'; did you mean 'TEMPERATURE'\?$/,
    ],
    ['{ class: "@SECURITY", type: ^MOTIN }', /^class CLASS1\.SECURITY has no type 'MOTIN'/],
    ['{ class: ["@SECURITY", 1034], type: ^MOTION }', /^class CLASS2\.SECURITY has no type 'MOT/],
    ['{ class: [2, 1034], type: ^MOTION }', /^class CLASS2\.SECURITY has no type 'MOTION'/],
    [
      '{ class: 20, type: ^VSCP_TYPE_MEASUREMENT_TEMPERATURE }',
      /'VSCP_TYPE_MEASUREMENT_TEMPERATURE' is no type of class CLASS1\.INFORMATION/,
    ],
    ['{ class: 3, type: ^GENERAL }', /^class 3 has no type 'GENERAL'$/],
    ['{ class: 10, type: ^constructor }', /has no type 'constructor'/],
    ['{ priority: ^8 }', /must be 0 to 7, not 8/],
    ['{ priority: ^[] }', /must not be empty/],
    ['{ priority: ^high }', /must be a whole number/],
    ['{ source: ^plant-c }', /^no lower is named 'plant-c'; did you mean 'plant-a'\?$/],
    ['{ source: [plant-a, ^plantb] }', /^no lower is named 'plantb'; did you mean 'plant-b'/],
    ['{ source: ^[] }', /must not be empty/],
    ['{ source: ^7 }', /must be text: put it in quotes/],
    ['{ source: ^"" }', /must be text, not empty/],
    ['{ source: ^"a/b" }', /'a\/b' is no name/],
    ['{ guid: ^"FF:FF" }', /a GUID has 16 bytes, not 2; begin it with '::'/],
    ['{ guid: ^"FF/0" }', /'FF\/0': a prefix has 1 to 128 bits/],
    ['{ guid: ^"FF/129" }', /a prefix has 1 to 128 bits/],
    ['{ guid: ^"FF/8x" }', /a prefix has 1 to 128 bits/],
    ['{ guid: ^"FF/" }', /a prefix has 1 to 128 bits/],
    ['{ guid: ^"FF/9" }', /9 bits need 2 bytes before the \//],
    ['{ guid: ^"FF/7" }', /there are bits beyond the first 7/],
    ['{ guid: ^"::1/8" }', /a prefix is hex bytes joined by colons/],
    ['{ guid: ["FF/8", ^"0x10/8"] }', /a prefix is hex bytes joined by colons/],
    ['{ guid: ^[] }', /must not be empty/],
    ['{ guid: ^{} }', /rules\[0\]\.match\.guid needs 'mask'/],
    ['{ guid: ^{ value: "-" } }', /needs 'mask'/],
    ['{ guid: ^{ mask: "::" } }', /needs 'value'/],
    ['{ guid: ^{ value: "::", mask: "-" } }', /matches every GUID: leave 'guid' out/],
    ['{ guid: ^{ in: "FF/8", mask: "::" } }', /not both/],
    ['{ guid: { in: ^$nowhere } }', /^no list is named 'nowhere'; lists: none$/],
    ['{ guid: { in: ^$ } }', /^no list is named ''/],
    ['{ guid: { in: [^$a] } }', /^a list is named as \{ in: \$a \}$/],
    ['{ guid: { in: ^[] } }', /must not be empty/],
    ['{ guid: { ^prefix: "FF/8" } }', /^unknown key 'prefix'; known: in, value, mask$/],
    ['{ raw: ^{ filter: "0,0,0,-" } }', /rules\[0\]\.match\.raw needs 'mask'/],
    ['{ raw: ^"0,0,0,-" }', /must be a map/],
    ['{ raw: ^{ filter: "0,0,0,-", mask: "0,0,0,-" } }', /write 'any: true'/],
    ['{ raw: { filter: ^"8,0,0,-", mask: "1,0,0,-" } }', /'8' must be a number of 0 to 7/],
    ['{ raw: { filter: "0,0,0,-", mask: ^"0,0x10000,0,-" } }', /'0x10000' must be/],
    ['{ raw: { filter: ^"0,0,-1,-", mask: "1,0,0,-" } }', /'-1' must be a number of 0 to/],
    ['{ raw: { filter: ^"0,0,,-", mask: "1,0,0,-" } }', /'' must be a number of 0 to 65535/],
    ['{ raw: { filter: ^"0,0,0", mask: "1,0,0,-" } }', /must be "priority,class,type,GUID"/],
    ['{ raw: { filter: ^"0,0,0,FF", mask: "1,0,0,-" } }', /a GUID has 16 bytes, not 1/],
    ['{ raw: ^{ filter: "0,0,0,-", mask: "1,0,0,-" }, class: 1 }', /name it or them/],
    ['{ raw: ^{ filter: "0,0,0,-", mask: "1,0,0,-" }, priority: 1 }', /name it or them/],
  ];
  for (const [marked, words] of cases) {
    const match = marked.replace('^', '');
    const column = COLUMN + marked.indexOf('^');
    const [place, message] = /^(f0:\d+:\d+): (.*)$/s.exec(complaint(withMatch(match)))!.slice(1);
    t.equal(place, `f0:4:${column}`, `${match}: ${message}`);
    t.match(message, words, match);
  }
  t.end();
});

/** The good file with one line replaced: line number, new line, expected complaint. */
const EDITS: [line: number, text: string, place: string, words: RegExp][] = [
  [2, 'schema: tidegate-policy/v2', '2:9', /schema must be tidegate-policy\/v1, not '.*v2'/],
  [2, 'schem: tidegate-policy/v1', '2:1', /^unknown key 'schem'; did you mean 'schema'\?/],
  [2, '', '3:1', /^the file needs 'schema'/],
  [3, '', '2:1', /^the file needs 'policy'/],
  [3, 'policy: [a]', '3:9', /policy must be a map/],
  [3, 'policy: { revision: 7 }', '3:9', /policy needs 'id'/],
  [3, 'policy: { id: a b, revision: 7 }', '3:15', /'a b' is no name/],
  [3, 'policy: { id: -a, revision: 7 }', '3:15', /no - or _ in front/],
  [3, 'policy: { id: 7, revision: 7 }', '3:15', /must be text: put it in quotes/],
  [3, `policy: { id: ${'x'.repeat(65)}, revision: 7 }`, '3:15', /longer than 64/],
  [3, 'policy: { id: p }', '3:9', /policy needs 'revision'/],
  [3, 'policy: { id: p, revision: -1 }', '3:28', /must be 0 to 9007199254740991, not -1/],
  [3, 'policy: { id: p, revision: 9007199254740993 }', '3:28', /must be a whole number/],
  [3, 'policy: { id: p, revision: "7" }', '3:28', /must be a whole number/],
  [3, 'policy: { id: p, revision: 1, owner: [a] }', '3:38', /owner must be a single value/],
  [3, 'policy: { id: p, revision: 1, owner: "\\e[31m" }', '3:38', /control characters/],
  [3, 'policy: { id: p, revision: 1, expires: 2027 }', '3:40', /must be text/],
  [3, 'policy: { id: p, revision: 1, expires: 2027-02-29 }', '3:40', /a date as 2027-03-31/],
  [3, 'policy: { id: p, revision: 1, expires: 2027-3-1 }', '3:40', /a date as 2027-03-31/],
  [3, 'policy: { id: p, revision: 1, expires: 2027-13-01 }', '3:40', /a date as 2027-03-31/],
  [
    3,
    'policy: { id: p, revision: 1, expires: 2026-05-31 }',
    '3:40',
    /^policy 'p' expired: its last day was 2026-05-31$/,
  ],
  [5, '  a-b:', '5:3', /^'a-b' is no list name/],
  [5, '  __proto__:', '5:3', /^'__proto__' is no list name/],
  [5, '  other:', '20:19', /^no list is named 'public_subnets'; lists: other$/],
  [6, '    - "FF:FG/16"', '6:7', /a prefix is hex bytes/],
  [6, '    - { in: $public_subnets }', '6:7', /lists\.public_subnets\[0\] must be a single value/],
  [9, '  - nam: x', '9:5', /^unknown key 'nam'; did you mean 'name'\?/],
  [9, '  - name: temperature', '12:5', /^a second rule named 'public-temperature\/temperature'/],
  [9, '  - reason: x', '9:5', /^rules\[0\] needs 'name'/],
  [9, '  - name: a/b', '9:11', /'a\/b' is no name/],
  [10, '    effect: deny', '10:13', /effect must be permit or forbid, not 'deny'/],
  [10, '    effect: permit', '9:5', /^rules\[0\] needs 'to'/],
  [10, '    effect: forbid\n    emit: { time: keep }', '11:11', /a forbid sends nothing/],
  [11, '    match:', '11:11', /rules\[0\]\.match must be a map/],
  [11, '    reason: x', '9:5', /^rules\[0\] needs 'match'/],
  [14, '    to: [public, pres]', '14:18', /no channel is named 'pres'; did you mean 'press'\?/],
  [14, '    to: elsewhere', '14:9', /^no channel is named 'elsewhere'$/],
  [14, '    to: []', '14:9', /rules\[1\]\.to must not be empty/],
  [14, '    to: [public, 7]', '14:18', /rules\[1\]\.to\[1\] must be text/],
  [14, '    to: { public: 1 }', '14:9', /must be a single value/],
  [15, '    reason: ""', '15:13', /reason must be text, not empty/],
  [10, '    effect: forbid\n    limits: { rate: 1/s }', '11:13', /a forbid sends nothing/],
  [15, '    limits: { rat: 20/s }', '15:15', /^unknown key 'rat'; did you mean 'rate'/],
  [15, '    limits: {}', '15:13', /limits need 'rate', 'size', or both/],
  [15, '    limits: { burst: 3 }', '15:13', /limits need 'rate', 'size', or both/],
  [15, '    limits: { size: 3, burst: 3 }', '15:24', /'burst' goes with 'rate'/],
  [15, '    limits: { rate: 0/s }', '15:21', /must be as 20\/s/],
  [15, '    limits: { rate: 20 }', '15:21', /must be as 20\/s, 5\/m/],
  [15, '    limits: { rate: 20/w }', '15:21', /must be as 20\/s/],
  [15, '    limits: { rate: 2/s, burst: 0 }', '15:33', /must be 1 to 1000000, not 0/],
  [
    10,
    '    effect: forbid\n    urgent: true',
    '11:13',
    /a forbid sends nothing: nothing of it is urg/,
  ],
  [10, '    effect: forbid\n    urgent: false', '11:13', /a forbid sends nothing/],
  [15, '    urgent: yes', '15:13', /^rules\[1\]\.urgent must be true or false$/],
  [15, '    urgent: "true"', '15:13', /must be true or false/],
  [15, '    urgent: 1', '15:13', /must be true or false/],
  [15, '    urgent:', '15:12', /must be true or false/],
  [15, '    urgent: [true]', '15:13', /urgent must be a single value/],
  [15, '    urgend: true', '15:5', /^unknown key 'urgend'; did you mean 'urgent'\?$/],
  [16, '    match:\n      urgent: true', '17:7', /^unknown key 'urgent'/],
  [22, '      urgent: true', '22:7', /^'urgent' stands beside 'emit', not in it$/],
  [22, '      limits: { size: 1 }', '22:7', /^'limits' stands beside 'emit', not in it$/],
  [15, '    limits: { size: 513 }', '15:21', /must be 0 to 512, not 513/],
  [15, '    expires: 2027-02-30', '15:14', /a date as 2027-03-31/],
  [10, '    effect: forbid\n    expires: 2026-05-31', '11:14', /expired.*2026-05-31: renew it/],
  [22, '      guid: keap', '22:13', /is keep, zero, a GUID, or .*; did you mean 'keep'\?$/],
  [22, '      guid: "FF/8"', '22:13', /is keep, zero, a GUID, or \{ pseudonym/],
  [22, '      guid: { pseudonym: 1 }', '22:26', /guid\.pseudonym must be a map/],
  [22, '      guid: { pseudonym: { prefix: "FF/8" } }', '22:26', /needs 'key_file'/],
  [22, '      guid: { pseudonym: { key_file: k } }', '22:26', /needs 'prefix'/],
  [22, '      guid: { pseudonym: { key_file: k, prefix: "F" } }', '22:49', /has 16 bytes, not 1/],
  [22, '      guid: { pseudonym: { key_file: k, prefix: "FE/7" } }', '22:49', /8 to 64 bits/],
  [
    22,
    '      guid: { pseudonym: { key_file: k, prefix: "1:2:3:4:5:6:7:8:80/65" } }',
    '22:49',
    /8 to 64 bits/,
  ],
  [22, '      class: "@SECURITY"', '22:14', /is one class, not a family/],
  [22, '      class: [10]', '22:14', /is one class, not a list/],
  [22, '      class: 65536', '22:14', /must be 0 to 65535/],
  [22, '      type: MOTION', '22:13', /has no type 'MOTION'/],
  [22, '      priority: 8', '22:17', /must be 0 to 7/],
  [22, '      priority: high', '22:17', /is keep, zero, or 0 to 7$/],
  [22, '      data: [256]', '22:14', /must be 0 to 255, not 256/],
  [22, '      data: all', '22:13', /must be keep or zero/],
  [
    22,
    '      sensor: keep',
    '22:7',
    /'sensor' goes with 'value'; with 'data: keep' it is in the data/,
  ],
  [22, '      value: keep\n      data: keep', '22:7', /'data' or 'value', not both/],
  [22, '      value: { round: 1 }', '22:14', /value needs 'unit'/],
  [22, '      value: { unit: volt }', '22:22', /has no unit 'volt'/],
  [22, '      value: { unit: kelvin, round: 0 }', '22:37', /a step is greater than zero/],
  [22, '      value: { unit: kelvin, clamp: {} }', '22:37', /needs 'ge', 'le', or both/],
  [22, '      value: { unit: kelvin, fn: mean }', '22:14', /only with a window/],
  [22, '      class: 20\n      value: keep', '23:14', /INFORMATION carries no value/],
  [22, '      value: keep\n      window: { every: 1m, per: guid }', '23:15', /with 'fn'/],
  [22, '      deadband: { change: 1, unit: volt }', '22:36', /has no unit 'volt'/],
  [22, '      deadband: { change: 0, unit: kelvin }', '22:27', /greater than zero/],
  [
    22,
    '      guid: keep\n      value: { unit: kelvin, fn: mean }\n' +
      '      window: { every: 1m, per: sensor }',
    '24:15',
    /differ in guid: add it to 'per', or do not keep it/,
  ],
  [22, '      time: keep', '23:7', /^a second key 'time'/],
  [28, 'asserts: []', '28:1', /^unknown key 'asserts'; did you mean 'assert'\?$/],
  [28, 'assert: []', '28:9', /assert must not be empty/],
  [28, 'assert: [{ never: { class: 2 } }]', '28:1', /not yet provable/],
  [28, 'assert: [{ never: { clas: 2 } }]', '28:21', /^unknown key 'clas'/],
  [28, 'assert: [{ ever: { class: 2 } }]', '28:12', /^unknown key 'ever'/],
];

await t.test('a bad file names the exact place and the way out', (t) => {
  for (const [line, text, place, words] of EDITS) {
    const lines = GOOD.split('\n');
    lines[line - 1] = text;
    const found = complaint(lines.join('\n'));
    const [where, message] = /^f0:(\d+:\d+): (.*)$/s.exec(found)?.slice(1) ?? [found, found];
    t.equal(where, place, `${text}: ${message}`);
    t.match(message, words, text);
  }
  t.end();
});

await t.test('an empty list of rules, an empty emit and a missing part are refused', (t) => {
  const head = 'schema: tidegate-policy/v1\npolicy: { id: p, revision: 1 }\n';
  t.equal(complaint(head), "f0:1:1: the file needs 'rules'");
  t.equal(complaint(`${head}lists: 7`), 'f0:3:8: lists must be a map');
  t.equal(complaint(`${head}rules: []`), 'f0:3:8: rules must not be empty');
  t.equal(complaint(`${head}rules:`), 'f0:3:7: rules must be a list');
  t.equal(complaint(`${head}rules: [r]`), 'f0:3:9: rules[0] must be a map');
  t.equal(complaint(`${head}rules: [[]]`), 'f0:3:9: rules[0] must be a map');
  t.equal(complaint('- 1'), 'f0:1:1: the file must be a map');
  t.equal(complaint('7'), 'f0:1:1: the file must be a map');
  const rule = '{ name: r, effect: permit, to: press, match: { any: true }, emit: {} }';
  t.equal(
    complaint(`${head}rules: [${rule}]`),
    `f0:3:${rule.length + 5}: an empty emit: name what is kept`,
  );
  t.end();
});

await t.test('a policy is valid to the end of its last day, UTC', (t) => {
  const policy = parsePolicy(GOOD, 'f');
  const last = Date.parse('2027-03-31T23:59:59.999Z');
  t.equal(compilePolicies([policy], SCOPE, last).expires, last + 1);
  t.throws(
    () => compilePolicies([policy], SCOPE, last + 1),
    /f:3:83: policy 'public-temperature' expired: its last day was 2027-03-31/,
  );
  t.equal(
    compilePolicies([parsePolicy(withMatch('{ any: true }'), 'f')], SCOPE, 0).expires,
    Infinity,
  );
  t.end();
});

await t.test('two files with one id are refused, two files with one rule name are not', (t) => {
  const other = GOOD.replace('id: public-temperature', 'id: other');
  t.equal(complaint(GOOD, other), 'fine');
  t.equal(complaint(GOOD, GOOD), "f1:3:15: a second policy with the id 'public-temperature'");
  t.end();
});

await t.test('thousands of rules load; more than one file may hold do not', (t) => {
  const file = (id: string, count: number, effect: string): string =>
    write(
      Array.from({ length: count }, (_, i) => ({
        name: `r${i}`,
        effect: effect as 'permit',
        ...(effect === 'permit' && { to: ['public'] }),
        match: { classes: [i], types: [i % 512] },
      })),
      id,
    );
  const policies = [file('a', 2500, 'permit'), file('b', 2500, 'forbid')];
  const compiled = compilePolicies(
    policies.map((text, i) => parsePolicy(text, `f${i}`)),
    SCOPE,
    0,
  );
  t.equal(compiled.rules.length, 5000);
  t.equal(parsePolicy(file('c', MAX_RULES, 'forbid'), 'f').rules.length, MAX_RULES);
  const text = file('d', 5000, 'permit');
  const column = text.indexOf(`{"name":"r${MAX_RULES}"`) + 1;
  t.equal(
    complaint(text),
    `f0:1:${column}: more than ${MAX_RULES} rules: spread them over several files`,
  );
  t.end();
});

await t.test('a policy too large to compile is refused before memory runs out', (t) => {
  const forbids = (count: number, match: (i: number) => Match): NaiveRule[] =>
    Array.from({ length: count }, (_, i) => ({
      name: `r${i}`,
      effect: 'forbid',
      match: match(i),
    }));
  const tooMany = /^f0:1:\d+: the policies name too many different classes and types$/;
  const byClass = write(
    forbids(1100, (i) => ({ classes: [i] })),
    'a',
  );
  const byType = write(
    forbids(1100, (i) => ({ types: [i] })),
    'b',
  );
  t.match(complaint(byClass, byType), tooMany, 'as many lists as pairs');
  const none = { priority: 0, vscpClass: 0, type: 0, guid: 0n };
  const raw = (field: 'vscpClass' | 'type') => (i: number) => ({
    raw: { filter: none, mask: { ...none, [field]: 1 << i } },
  });
  t.match(
    complaint(write(forbids(16, raw('vscpClass')), 'a'), write(forbids(7, raw('type')), 'b')),
    tooMany,
    'too many arms in too many lists',
  );
  t.match(
    complaint(write(forbids(16, raw('vscpClass')), 'a'), write(forbids(9, raw('type')), 'b')),
    tooMany,
    'too many pairs',
  );
  t.equal(complaint(write(forbids(16, raw('vscpClass')), 'a')), 'fine');
  t.end();
});

const SOURCES = ['plant-a', 'plant-b'];
const BITS = [127n, 126n, 0n];
const ALL = (1n << 128n) - 1n;
const worldGuid = (n: number): bigint =>
  BITS.reduce((sum, bit, i) => sum | (BigInt((n >> i) & 1) << bit), 0n);

/** Matches over 2 sources, 8 priorities, 4 classes, 4 types and 8 GUIDs: small enough to count. */
const small = fc.record(
  {
    sources: fc.subarray(SOURCES, { minLength: 1 }),
    priorities: fc.subarray([0, 1, 5, 7], { minLength: 1, maxLength: 2 }),
    classes: fc.subarray([0, 1, 2, 3], { minLength: 1, maxLength: 2 }),
    types: fc.subarray([0, 1, 2, 3], { minLength: 1, maxLength: 2 }),
    guid: fc.oneof(
      fc.record({
        form: fc.constant('many' as const),
        patterns: fc.array(
          fc.oneof(
            fc.nat(7).map((n) => {
              const value = worldGuid(n);
              const text = value.toString(16).padStart(32, '0').match(/../g)!.join(':');
              return { text, value, mask: ALL };
            }),
            fc
              .constantFrom(
                { text: '80/1', value: 1n << 127n, mask: 1n << 127n },
                { text: '00/1', value: 0n, mask: 1n << 127n },
                { text: '40/2', value: 1n << 126n, mask: 3n << 126n },
                { text: 'C0/127', value: 3n << 126n, mask: ALL - 1n },
              )
              .map(({ text, value, mask }) => ({
                text: text.replace('C0/', `C0${':00'.repeat(15)}/`),
                value,
                mask,
              })),
          ),
          { minLength: 1, maxLength: 2 },
        ),
      }),
      fc.tuple(fc.nat(7), fc.integer({ min: 1, max: 7 })).map(([value, mask]) => ({
        form: 'mask' as const,
        patterns: [{ text: '', value: worldGuid(value), mask: worldGuid(mask) }],
      })),
    ),
  },
  { requiredKeys: [] },
);

const quad = fc.record({
  priority: fc.nat(7),
  vscpClass: fc.nat(3),
  type: fc.nat(3),
  guid: fc.nat(7).map(worldGuid),
});

const smallRaw = fc
  .record(
    {
      raw: fc.record({ filter: quad, mask: quad }),
      sources: fc.subarray(SOURCES, { minLength: 1 }),
    },
    { requiredKeys: ['raw'] },
  )
  .filter(({ raw: { mask } }) => mask.priority + mask.vscpClass + mask.type > 0 || mask.guid > 0n);

const WORLD = SOURCES.flatMap((source) =>
  Array.from({ length: 8 * 4 * 4 * 8 }, (_, n) => ({
    source,
    event: {
      head: (n & 7) << 5,
      vscpClass: (n >> 3) & 3,
      type: (n >> 5) & 3,
      obid: 0,
      datetime: '',
      timestamp: 0n,
      guid: Uint8Array.from(
        worldGuid(n >> 7)
          .toString(16)
          .padStart(32, '0')
          .match(/../g)!,
        (pair) => Number.parseInt(pair, 16),
      ),
      data: new Uint8Array(0),
    },
  })),
);

await t.test('permits that send different fields are refused exactly if they overlap', (t) => {
  const any = fc.oneof({ weight: 3, arbitrary: small }, { weight: 1, arbitrary: smallRaw });
  const seen = { overlap: 0, apart: 0 };
  fc.assert(
    fc.property(any, any, (one, two) => {
      const rules: NaiveRule[] = [
        { name: 'one', effect: 'permit', to: ['public'], match: one },
        {
          name: 'two',
          effect: 'permit',
          to: ['press', 'public'],
          match: two,
          emit: { time: 'keep' },
        },
      ];
      const overlap = WORLD.some(
        ({ event, source }) => matches(one, event, source) && matches(two, event, source),
      );
      seen[overlap ? 'overlap' : 'apart']++;
      const text = write(rules);
      const column = text.indexOf('{"name":"two"') + 1;
      assert.equal(
        complaint(text),
        overlap
          ? `f0:1:${column}: permits 'p/one' and 'p/two' match the same events for channel ` +
              "'public' but differ in emit"
          : 'fine',
      );
    }),
    { numRuns: runs(300) },
  );
  t.ok(seen.overlap > 30 && seen.apart > 30, JSON.stringify(seen));
  t.end();
});

await t.test('permits that overlap may stand if they send the same or share no channel', (t) => {
  const rule = (name: string, to: string, emit: string): string =>
    `  - { name: ${name}, effect: permit, to: ${to}, match: { class: 10 }, ${emit} }\n`;
  const file = (...rules: string[]): string =>
    `schema: tidegate-policy/v1\npolicy: { id: p, revision: 1 }\nrules:\n${rules.join('')}`;
  const all = 'emit: { guid: keep, time: keep, data: keep }';
  const less = 'emit: { guid: keep, time: keep }';
  t.equal(complaint(file(rule('a', 'public', all), rule('b', 'public', ''))), 'fine');
  t.equal(complaint(file(rule('a', 'public', all), rule('b', 'press', less))), 'fine');
  t.match(complaint(file(rule('a', 'public', all), rule('b', 'public', less))), /^f0:5:5: permits/);
  for (const words of ['priority: zero', 'guid: zero', 'time: zero', 'data: zero']) {
    const fields = new Map([
      ['priority', 'keep'],
      ['guid', 'keep'],
      ['time', 'keep'],
      ['data', 'keep'],
      words.split(': ') as [string, string],
    ]);
    const emit = `emit: { ${[...fields].map((pair) => pair.join(': ')).join(', ')} }`;
    t.match(complaint(file(rule('a', 'public', ''), rule('b', 'public', emit))), /differ in emit/);
  }
  const [urgent, routine] = ['a', 'b'].map((name) =>
    rule(name, 'public', name === 'a' ? 'urgent: true' : 'urgent: false'),
  );
  t.equal(
    complaint(file(urgent!, routine!)),
    "f0:5:5: permits 'p/a' and 'p/b' match the same events for channel 'public' but differ in urgent",
  );
  t.equal(complaint(file(urgent!, routine!.replace('public', 'press'))), 'fine');
  t.equal(complaint(file(urgent!, urgent!.replace('a,', 'b,'))), 'fine');
  const [one, two] = ['p', 'q'].map((id, i) =>
    file(rule('r', 'public', i === 0 ? all : less)).replace('id: p', `id: ${id}`),
  );
  t.equal(
    complaint(one!, two!),
    "f1:4:5: permits 'p/r' and 'q/r' match the same events for channel 'public' but differ in emit",
  );
  t.end();
});
