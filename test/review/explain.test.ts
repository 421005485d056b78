import assert from 'node:assert/strict';
import fc from 'fast-check';
import t from 'tap';
import { parseBody, type VscpEvent } from '../../src/event/event.js';
import { parsePolicy } from '../../src/policy/parse.js';
import type { Policy } from '../../src/policy/policy.js';
import { Explainer, type Explanation } from '../../src/review/explain.js';
import { Facts } from '../../src/review/matching.js';
import { placeText } from '../../src/review/place.js';
import { scopeOf } from '../../src/review/rehearsal.js';
import { decisionsOf, disagreementsOf } from '../../src/review/standing.js';
import { arrivals, CHANNELS, rules as someRules, SOURCES } from '../policy/arbitrary.js';
import { decide, write } from '../policy/naive.js';
import { runs } from '../arbitrary/runs.js';

const AT = Date.parse('2026-06-01T12:00:07Z');
const GUID = 'FF:FF:FF:FF:FF:FF:FF:FE:B8:27:EB:10:01:02:00:01';
/** 21.3 celsius of sensor 2, at 11:58:03. */
const WARM = `96,10,6,7,2026-06-01T11:58:03Z,0,${GUID},138,129,0,213`;

function load(rules: string, id = 'p', lists = ''): Policy {
  const head = `schema: tidegate-policy/v1\npolicy: { id: ${id}, revision: 1 }`;
  const text = `${head}\n${lists}rules:\n${rules}`;
  return parsePolicy(text, `${id}.yaml`);
}

/** Explains a line by `a`, at noon of a monday. */
function explain(policies: Policy | readonly Policy[], line: string, at = AT): Explanation {
  const all = Array.isArray(policies) ? (policies as Policy[]) : [policies as Policy];
  const scope = scopeOf(all);
  const sources = [...new Set(['a', ...scope.sources])];
  return new Explainer(all, { ...scope, sources }, at).explain(parseBody(line), 'a');
}

/** The failure of the one rule with this match, on line 4 of its file. */
function failure(match: string, line = WARM, effect = 'permit', more = ''): string {
  const to = effect === 'permit' ? 'to: up, ' : '';
  const rule = `  - { name: r, effect: ${effect}, ${to}${more}match: ${match} }\n`;
  const lists = 'lists: { hall: ["FF:10/16"] }\n';
  const [report] = explain(load(rule, 'p', match.includes('$') ? lists : ''), line).rules;
  const found = report!.failure;
  if (!found) return 'matches';
  const { predicate, has, wants, place } = found;
  const text = `${predicate}: ${has}, ${wants}`;
  const at = rule.indexOf(predicate === 'expires' ? 'expires: ' : `match: `) + 1;
  assert.equal(place.file, 'p.yaml');
  assert.equal(place.line, match.includes('$') ? 5 : 4);
  assert.ok(place.column > at, `${placeText(place)} of ${predicate}`);
  // What stands there is the predicate's value.
  const value = rule.slice(place.column - 1);
  const before = rule.slice(0, place.column - 1);
  assert.ok(before.endsWith(`${predicate}: `), `${predicate} before ${value}`);
  return text;
}

const BERLIN = '{ zone: Europe/Berlin, daily: ["05:00-13:30"], days: [mon, sun] }';

await t.test('each predicate says what the event has and what the rule wants', (t) => {
  const temperature = 'class: CLASS1.MEASUREMENT, type: TEMPERATURE';
  const cases: [expected: string, match: string, line?: string, effect?: string, more?: string][] =
    [
      [
        "expires: it is 2026-06-01, the rule's last day was 2026-05-31",
        '{ any: true }',
        WARM,
        'permit',
        'expires: 2026-05-31, ',
      ],
      ['source: the event came by a, the rule wants b or c', '{ source: [b, c] }'],
      [
        'class: the event has CLASS1.MEASUREMENT (10), the rule wants @SECURITY, 4711 or CLASS1.ALARM (1)',
        '{ class: ["@SECURITY", 4711, 1] }',
      ],
      [
        'type: the event has TEMPERATURE (6) of CLASS1.MEASUREMENT (10), the rule wants HUMIDITY or COUNT (1)',
        '{ class: 10, type: [HUMIDITY, 1] }',
      ],
      ['priority: the event has 3, the rule wants 0, 1 or 2', '{ priority: [0, 1, 2] }'],
      [
        'raw: the event has type TEMPERATURE (6), the rule wants 0,10,1,- under mask 0,0xFFFF,0xFFFF,-',
        '{ raw: { filter: "0,10,1,-", mask: "0,0xFFFF,0xFFFF,-" } }',
      ],
      [
        `raw: the event has GUID ${GUID}, the rule wants 0,0,0,-:3 under mask 0,0,0,-:2`,
        '{ raw: { filter: "0,0,0,-:3", mask: "0,0,0,-:2" } }',
        WARM,
      ],
      [`guid: the event has ${GUID}, the rule wants FF:FE/16`, '{ guid: "FF:FE/16" }'],
      [`guid: the event has ${GUID}, the rule wants $hall: FF:10/16`, '{ guid: { in: $hall } }'],
      ['sensor: the event has 2, the rule wants at least 3', '{ class: 10, sensor: { ge: 3 } }'],
      [
        'sensor: the event has none: CLASS1.ALARM (1) carries no sensor, the rule wants 1',
        '{ class: [1, 10], sensor: 1 }',
        `0,1,1,0,,0,${GUID},1,2,3`,
      ],
      [
        'zone: the event has none: CLASS1.MEASUREMENT (10) carries no zone, the rule wants 1 or 2',
        '{ zone: [1, 2] }',
      ],
      [
        'zone: the event has 4, the rule wants 1 to 3',
        '{ zone: { ge: 1, le: 3 } }',
        `0,20,3,0,,0,${GUID},0,4,5`,
      ],
      [
        'subzone: the event has none, the rule wants at most 3',
        '{ subzone: { le: 3 } }',
        `0,20,3,0,,0,${GUID},0,4`,
      ],
      [
        'subzone: the event has 5, the rule wants 3',
        '{ class: 20, subzone: 3 }',
        `0,20,3,0,,0,${GUID},0,4,5`,
        'forbid',
      ],
      ['unit: the event has celsius, the rule wants kelvin', `{ ${temperature}, unit: kelvin }`],
      [
        'unit: the event has unit code 3, the rule wants kelvin',
        `{ ${temperature}, unit: kelvin }`,
        WARM.replace('138', '154'),
      ],
      [
        'value: the event has 21.3 celsius, the rule wants at most 20 celsius',
        `{ ${temperature}, value: { unit: celsius, le: 20 } }`,
      ],
      [
        'value: the event has 21.3 celsius (70.34 fahrenheit), the rule wants more than 71 and less than 80 fahrenheit',
        `{ ${temperature}, value: { unit: fahrenheit, gt: 71, lt: 80 } }`,
      ],
      [
        'value: the event has none, the rule wants at least 0 kelvin',
        `{ ${temperature}, value: { unit: kelvin, ge: 0 } }`,
        `0,10,6,0,,0,${GUID},0`,
      ],
      ['size: the event has 4 data bytes, the rule wants 3', '{ size: 3 }'],
      ['size: the event has 4 data bytes, the rule wants 5 to 8', '{ size: { ge: 5, le: 8 } }'],
      [
        'time: it is mon 2026-06-01 14:00 in Europe/Berlin, the rule wants 05:00-13:30 on mon or sun',
        `{ time: ${BERLIN} }`,
      ],
      [
        'time: it is mon 2026-06-01 12:00 in UTC, the rule wants in 2026-06-02..2026-06-03',
        '{ time: { zone: UTC, dates: ["2026-06-02..2026-06-03"] } }',
      ],
      ['matches', '{ any: true }'],
      ['matches', '{ zone: 1 }', WARM, 'forbid'],
      [
        `type: the event has 6 of CLASS1.MEASUREMENTX1 (11), the rule wants TEMPERATURE`,
        '{ class: "@MEASUREMENT", type: TEMPERATURE }',
        WARM.replace(',10,', ',11,'),
      ],
    ];
  for (const [expected, ...given] of cases) t.equal(failure(...given), expected);
  t.end();
});

await t.test('of a class that a sensor leaves out, the sensor is to blame', (t) => {
  const rule = '  - { name: r, effect: permit, to: up, match: { sensor: 9 } }\n';
  const { failure: found } = explain(load(rule), WARM).rules[0]!;
  t.match(found, { predicate: 'sensor', has: 'the event has 2', wants: 'the rule wants 9' });
  t.end();
});

await t.test(
  'a forbid beats permits, in its channel alone, and of permits the smaller name',
  (t) => {
    const rules = load(`
  - { name: b, effect: permit, to: [up, board], match: { class: 10 } }
  - { name: a, effect: permit, to: [up, side], match: { type: 6 } }
  - { name: z, effect: forbid, to: board, match: { priority: 3 } }
  - { name: y, effect: forbid, to: [board, none], reason: law, match: { any: true } }
`);
    const { channels, rules: reports } = explain(rules, WARM);
    t.same(
      channels.map(({ channel, verdict, rule }) => [channel, verdict, rule]),
      [
        ['up', 'permitted', 'p/a'],
        ['board', 'forbidden', 'p/y'],
        ['side', 'permitted', 'p/a'],
        ['none', 'forbidden', 'p/y'],
      ],
    );
    t.same(
      reports.map(({ rule, standings }) => [rule, ...standings.map(({ words }) => words)]),
      [
        ['p/a', 'decides for up', 'decides for side'],
        [
          'p/b',
          'permits up too and sends the same; p/a decides, the smaller name',
          'permits board, but p/y forbids it',
        ],
        ['p/y', 'decides for board', 'decides for none'],
        ['p/z', 'forbids board too; p/y is named, the smaller name'],
      ],
    );
    t.equal(reports[2]!.reason, 'law');
    t.ok(reports.every(({ matches, failure }) => matches && failure === null));
    t.end();
  },
);

await t.test('what is neither permitted nor forbidden, and what is no number', (t) => {
  const rules = load('  - { name: r, effect: permit, to: up, match: { class: [1, 1060] } }\n');
  const denied = explain(rules, WARM);
  t.match(denied.channels, [{ verdict: 'denied', rule: null, sending: null }]);
  const refused = explain(rules, `0,1060,6,0,,0,${GUID},0,0,0,1,127,240,0,0,0,0,0,0`);
  t.match(refused.channels, [{ verdict: 'refused', rule: null, sending: null }]);
  t.match(refused.rules, [{ matches: false, failure: null, standings: [] }]);
  t.equal(refused.event.notFinite, true);
  t.same([denied.disagreements, refused.disagreements], [[], []]);
  t.end();
});

await t.test('the event is told field by field', (t) => {
  const rules = load('  - { name: r, effect: permit, to: up, match: { any: true } }\n');
  t.match(explain(rules, WARM).event, {
    class: 10,
    className: 'CLASS1.MEASUREMENT',
    typeName: 'TEMPERATURE',
    priority: 3,
    guid: GUID,
    time: '2026-06-01T11:58:03Z',
    data: [138, 129, 0, 213],
    value: 21.3,
    unit: 'celsius',
    sensor: 2,
    zone: null,
  });
  const times = ['0', '7', '1780315083000000000'].map(
    (stamp) => explain(rules, `0,4711,6,0,,${stamp},${GUID}`).event.time,
  );
  t.same(times, [null, '7 us', '2026-06-01T11:58:03Z (1780315083000000000 ns)']);
  t.end();
});

const MEASURED = 'match: { class: CLASS1.MEASUREMENT, type: TEMPERATURE }';

/** The rows of what is sent for WARM, or for another line. */
function rowsOf(emit: string, line = WARM, more = ''): string[] {
  const rule = `  - { name: r, effect: permit, to: up, ${MEASURED}, emit: ${emit}${more} }\n`;
  const { sending } = explain(load(rule), line).channels[0]!;
  return sending!.fields.map(({ name, value, origin, key, place }) => {
    if (place)
      assert.ok(rule.slice(0, place.column - 1).endsWith(`${key!.replace('emit.', '')}: `));
    return `${name} ${value}: ${origin}${key === null ? '' : ` (${key})`}`;
  });
}

await t.test('without emit fields are sent as they came', (t) => {
  const rule = `  - { name: r, effect: permit, to: up, ${MEASURED} }\n`;
  const { sending } = explain(load(rule), WARM).channels[0]!;
  t.match(sending, { outcome: 'emitted', window: null, line: WARM.replace(',7,', ',0,') });
  t.same(sending!.notes, ['the rule has no emit: fields are sent as they came']);
  for (const { name, origin } of sending!.fields) {
    const carried = ['value', 'unit', 'sensor'].includes(name)
      ? 'carried by the data'
      : 'as it came';
    t.equal(origin, name === 'obid' ? 'zero: never sent on' : carried, name);
  }
  t.end();
});

await t.test('each field that is sent says where it came from', (t) => {
  const zero = '00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00';
  const kept = 'as it came: emit does not name it';
  const unnamed = 'zero: emit does not name it';
  t.same(rowsOf('{ guid: keep }'), [
    `priority 3: ${kept}`,
    `class CLASS1.MEASUREMENT (10): ${kept}`,
    `type TEMPERATURE (6): ${kept}`,
    'obid 0: zero: never sent on',
    `guid ${GUID}: as it came (emit.guid)`,
    `time none: ${unnamed}`,
    'data none: empty: emit does not name it',
  ]);
  t.same(rowsOf('{ priority: 7, class: 4711, type: 5, guid: "-", time: keep, data: [1, 2] }'), [
    'priority 7: said by the rule (emit.priority)',
    'class 4711: said by the rule (emit.class)',
    'type 5: said by the rule (emit.type)',
    'obid 0: zero: never sent on',
    `guid ${zero}: zero (emit.guid)`,
    'time 2026-06-01T11:58:03Z: as it came (emit.time)',
    'data 1 2: said by the rule (emit.data)',
  ]);
  const value =
    '{ class: CLASS2.MEASUREMENT_FLOAT, time: { floor: 15m }, sensor: keep, zone: 4, subzone: keep, ' +
    'value: { unit: celsius, clamp: { ge: 0 }, round: 0.5 }, ' +
    'guid: { pseudonym: { key_file: k, prefix: "02:52:4C:59/32" } } }';
  const rows = rowsOf(value, WARM.replace('138', '130').replace('129,0,213', '130,115,5'));
  t.match(
    rows[4],
    /^guid 02:52:4C:59(?::..){12}: pseudonym under prefix 02:52:4C:59\/32, here with/,
  );
  t.match(rows[4], /the published test key \(emit\.guid\)$/);
  t.same(rows.slice(5), [
    "time 2026-06-01T11:45:00Z: floor 15m of the event's time, 2026-06-01T11:58:03Z (emit.time)",
    'value 21.5: 294.45 kelvin as it came, 21.3 celsius, at least 0: it is, rounded to 0.5 (emit.value)',
    'unit celsius: said by the rule (emit.value)',
    'sensor 2: as it came (emit.sensor)',
    'zone 4: said by the rule (emit.zone)',
    'subzone 0: zero: the event has no subzone to keep (emit.subzone)',
    'data 2 4 0 1 64 53 128 0 0 0 0 0: the coding of these',
  ]);
  t.match(rowsOf('{ time: relay }')[5], "time 2026-06-01T12:00:07Z: the relay's clock (emit.time)");
  t.match(
    rowsOf('{ time: { floor: 1h, of: relay } }')[5],
    "time 2026-06-01T12:00:00Z: floor 1h of the relay's clock, 2026-06-01T12:00:07Z (emit.time)",
  );
  t.match(
    rowsOf('{ value: { unit: celsius, clamp: { ge: 0, le: 20 } } }')[6],
    'value 20: 21.3 celsius as it came, 0 to 20: clamped to 20 (emit.value)',
  );
  const single = rowsOf('{ class: 70, value: { unit: kelvin } }');
  t.match(
    single[6],
    /^value 294\.45001\d+: .* 294\.45 kelvin, the nearest float32, which the class/,
  );
  t.end();
});

const WINDOWED =
  '{ guid: keep, value: { unit: celsius, fn: mean }, window: { every: 15m, per: guid';

await t.test('a window says which it is, and what it sends when it ends', (t) => {
  const windowed = (more: string) => {
    const emit = `${WINDOWED}${more} } }`;
    const rule = `  - { name: r, effect: permit, to: up, ${MEASURED}, emit: ${emit} }\n`;
    return explain(load(rule), WARM).channels[0]!.sending!;
  };
  const one = windowed('');
  t.match(one, {
    outcome: 'open',
    window: {
      from: '2026-06-01T12:00:00Z',
      to: '2026-06-01T12:15:00Z',
      key: { class: 'CLASS1.MEASUREMENT (10)', type: 'TEMPERATURE (6)', guid: GUID },
      samples: 1,
    },
  });
  t.match(
    one.notes[1],
    'with 1 such sample the window sends this when it ends, at 2026-06-01T12:15',
  );
  const value = one.fields.find(({ name }) => name === 'value');
  t.match(value, { value: '21.3', origin: '21.3 celsius as it came, mean of 1 such sample' });
  const three = windowed(', min_samples: 3');
  t.match(three.notes[1], 'alone it sends nothing: min_samples asks 3, 2 more');
  t.match(three.notes[2], 'with 3 such samples the window sends this');
  t.ok(three.line);
  const many = windowed(', min_samples: 100000');
  t.match(many.notes[2], 'with 1 such sample the window sends nothing when it ends');
  t.match(many, { line: null, fields: [] });
  t.end();
});

await t.test('a first event passes deadband and rate; each is explained as the first', (t) => {
  const rule = `  - { name: r, effect: permit, to: up, ${MEASURED}, limits: { rate: 1/h },
      emit: { value: keep, deadband: { change: 0.5, unit: celsius, refresh: 1h } } }\n`;
  const policy = load(rule);
  const explainer = new Explainer([policy], scopeOf([policy]), AT);
  const [first, second] = [1, 2].map(() => explainer.explain(parseBody(WARM), 'lower'));
  t.same(first, second);
  const { outcome, notes } = first!.channels[0]!.sending!;
  t.equal(outcome, 'emitted');
  t.match(
    notes[0],
    /^deadband \(emit\.deadband, p\.yaml:5:38\): .* stream \(guid, sensor\), which is/,
  );
  t.match(notes[0], /differs by 0\.5 celsius, or after 1h$/);
  t.match(notes[1], /^rate 1\/h, burst 1 \(limits, p\.yaml:4:\d+\)/);
  t.end();
});

await t.test('what goes by the urgent lane says why, and nothing else does', (t) => {
  const urgency = (words: string, priority = 3): [urgent: boolean | null, ...notes: string[]] => {
    const rule = `  - { name: r, effect: permit, to: up, ${words}, ${MEASURED} }\n`;
    const line = WARM.replace('96', String(priority << 5));
    const { urgent, notes } = explain(load(rule), line).channels[0]!.sending!;
    return [urgent, ...notes.filter((note) => note.includes('urgent'))];
  };
  const byRule = 'the rule is urgent (urgent, p.yaml:4:48)';
  const byPriority = 'it is sent with priority 0';
  const lane = 'it goes by the urgent lane: ';
  t.same(urgency('reason: x'), [false]);
  t.same(urgency('urgent: false'), [false]);
  t.same(urgency('urgent: true'), [true, lane + byRule]);
  t.same(urgency('reason: x', 0), [true, lane + byPriority]);
  t.same(urgency('urgent: true', 0), [true, `${lane}${byRule}, and ${byPriority}`]);
  t.same(urgency('emit: { data: keep, priority: zero }'), [true, lane + byPriority]);
  t.same(urgency('emit: { data: keep, priority: 4 }', 0), [false]);
  t.same(urgency('urgent: true, limits: { size: 3 }'), [null], 'nothing is sent');
  const mean = 'emit: { value: { unit: celsius, fn: mean }, window: { every: 1m, per: none';
  t.same(urgency(`urgent: true, ${mean} } }`), [true, lane + byRule], 'the window is');
  t.same(urgency(`urgent: true, ${mean}, min_samples: 100000 } }`), [null]);
  t.same(urgency(`${mean} } }`, 0), [true, lane + byPriority]);
  t.end();
});

await t.test('what is permitted and not sent says why', (t) => {
  const why = (emit: string, line = WARM, more = ''): string => {
    const rule = `  - { name: r, effect: permit, to: up, ${MEASURED}, ${emit}${more} }\n`;
    const { sending } = explain(load(rule), line).channels[0]!;
    assert.deepEqual([sending!.line, sending!.fields.length], [null, 0]);
    return `${sending!.outcome}: ${sending!.notes.at(-1)!.replace(/p\.yaml:4:\d+/, 'PLACE')}`;
  };
  t.equal(
    why('limits: { size: 3 }'),
    'withheld.size: nothing is sent: 4 data bytes would be more than 3 bytes (limits, PLACE)',
  );
  t.equal(
    why('emit: { class: CLASS1.ALARM, data: [1, 2, 3, 4, 5, 6, 7, 8, 9] }'),
    'withheld.size: nothing is sent: its data would be more than 8 bytes (CLASS1.ALARM (1))',
  );
  const celsius = 'emit: { value: { unit: celsius } }';
  t.equal(
    why(celsius, `0,10,6,0,,0,${GUID},0`),
    'withheld.conversion: nothing is sent: the event has no value (emit.value, PLACE)',
  );
  t.equal(
    why(celsius, WARM.replace('138', '154')),
    'withheld.conversion: nothing is sent: 21.3 unit code 3 does not convert into celsius (emit.value, PLACE)',
  );
  t.equal(
    why('emit: { time: { floor: 1h } }', WARM.replace('2026-06-01T11:58:03Z', '')),
    'withheld.conversion: nothing is sent: the event has no time to floor (emit.time, PLACE)',
  );
  t.equal(
    why('emit: { class: 60, value: keep }'),
    'withheld.conversion: nothing is sent: class CLASS1.MEASUREMENT64 (60) cannot carry this value (emit.value, PLACE)',
  );
  t.end();
});

await t.test('what does not load is refused with its place, too many channels too', (t) => {
  const twins = [load('  - { name: r, effect: permit, to: up, match: { any: true } }\n')];
  t.throws(() => explain([...twins, ...twins], WARM), {
    message: /a second policy with the id 'p'/,
  });
  const to = Array.from({ length: 31 }, (_, i) => `c${i}`).join(', ');
  const wide = load(`  - { name: r, effect: permit, to: [${to}], match: { any: true } }\n`);
  t.throws(() => explain(wide, WARM), /31 channels; at most 30/);
  const explainer = new Explainer(twins, { sources: ['a'], channels: ['up'] }, AT);
  t.throws(() => explainer.explain(parseBody(WARM), 'b'), /no source is named 'b'/);
  t.end();
});

await t.test('a verdict that the reasons do not give is a disagreement', (t) => {
  const policy = load(`
  - { name: a, effect: permit, to: up, match: { class: 10 } }
  - { name: b, effect: forbid, to: board, match: { any: true } }
`);
  const facts = new Facts(parseBody(WARM), 'a', AT);
  const decisions = decisionsOf(['up', 'board'], policy.rules, facts);
  const permitted = new Map([['up', { rule: 'p/a', outcome: 'emitted' }]]);
  const verdict = { notFinite: false, permitted, forbiddenBy: 'p/b' };
  const found = (real: Partial<typeof verdict>): string[] =>
    disagreementsOf({ ...verdict, ...real }, decisions, policy.rules, facts);
  t.same(found({}), []);
  t.equal(found({ notFinite: true }).length, 1);
  t.equal(found({ permitted: new Map() }).length, 1);
  const wrong = new Map([['up', { rule: 'p/c', outcome: 'emitted' }]]);
  t.match(found({ permitted: wrong }), [
    'up: the engine permits it by p/c, the reasons give permitted by p/a',
  ]);
  const board = { rule: 'p/a', outcome: 'emitted' };
  t.equal(found({ permitted: new Map([...permitted, ['board', board]]) }).length, 1);
  t.equal(
    disagreementsOf({ ...verdict, forbiddenBy: undefined }, decisions, policy.rules, facts).length,
    1,
  );
  t.end();
});

function lineOf(event: VscpEvent): string {
  const { head, vscpClass, type, obid, datetime, timestamp, guid, data } = event;
  const address = Buffer.from(guid).toString('hex').match(/../g)!.join(':');
  return [head, vscpClass, type, obid, datetime, timestamp, address, ...data].join();
}

await t.test(
  'engine, reasons and the naive evaluator agree, in whatever order rules stand',
  (t) => {
    const arriving = someRules.chain((rules) =>
      fc.tuple(
        fc.constant(rules),
        arrivals(rules.map(({ match }) => match)),
        fc.shuffledSubarray(rules, { minLength: rules.length }),
      ),
    );
    fc.assert(
      fc.property(arriving, ([rules, events, shuffled]) => {
        const scope = { sources: SOURCES, channels: CHANNELS };
        const [one, other] = [rules, shuffled].map(
          (each) => new Explainer([parsePolicy(write(each), 'f.yaml')], scope, AT),
        );
        for (const { event, source } of events) {
          const body = parseBody(lineOf(event));
          const explanation = one!.explain(body, SOURCES[source]!);
          assert.deepEqual(explanation.disagreements, []);
          const again = other!.explain(body, SOURCES[source]!);
          assert.deepEqual(withoutPlaces(again), withoutPlaces(explanation));
          if (explanation.event.notFinite) continue;
          const { permits } = decide(rules, CHANNELS, event, SOURCES[source]!);
          const permitted = explanation.channels.filter(({ verdict }) => verdict === 'permitted');
          assert.deepEqual(
            permitted.map(({ channel }) => channel),
            [...permits.keys()],
          );
          for (const { matches, failure } of explanation.rules)
            assert.equal(matches, failure === null);
        }
      }),
      { numRuns: runs(60) },
    );
    t.end();
  },
);

function withoutPlaces(value: unknown): unknown {
  // The generator numbers lists as their rules stand.
  const text = JSON.stringify(value)
    .replaceAll(/\$list\d/g, '$list')
    .replaceAll(/f\.yaml:\d+:\d+/g, 'f.yaml');
  return JSON.parse(text, (key, each: unknown) => (key === 'place' ? null : each));
}

const byte = fc.oneof(fc.nat(3), fc.nat(255));
const list = (of: fc.Arbitrary<number>) => fc.array(of, { minLength: 1, maxLength: 3 });
const bytes = fc.oneof(
  list(byte),
  fc.record({ ge: fc.nat(3), le: fc.integer({ min: 3, max: 255 }) }, { requiredKeys: ['ge'] }),
);
const CLASSES = ['@MEASUREMENT', 10, 65, 70, 522, 1040, 1060, 'CLASS1.ALARM', 20, 50];
const value = fc.record(
  {
    unit: fc.constantFrom('kelvin', 'celsius', 'pascal'),
    ge: fc.nat(300),
    lt: fc.integer({ min: 301, max: 400 }),
  },
  { requiredKeys: ['unit', 'ge'] },
);

const EXTRAS = ['sensor', 'zone', 'subzone', 'unit', 'value', 'size', 'priority', 'time'] as const;

/** Rules that ask for what the data carries; not all of them parse. */
const drafts = fc.array(
  fc
    .record({
      effect: fc.constantFrom('permit', 'permit', 'forbid'),
      expires: fc.constantFrom(undefined, undefined, '2026-05-31', '2026-06-01'),
      extras: fc.subarray([...EXTRAS], { maxLength: 2 }),
      match: fc.record({
        class: fc.subarray(CLASSES, { minLength: 1, maxLength: 5 }),
        type: fc.constantFrom<unknown[]>([6], [6, 12], 'TEMPERATURE', 1),
        sensor: bytes,
        zone: bytes,
        subzone: bytes,
        unit: fc.constantFrom('kelvin', 'celsius', 'bar'),
        value,
        size: fc.oneof(fc.nat(12), fc.constant({ ge: 3 })),
        priority: list(fc.nat(7)),
        time: fc.constantFrom(
          { zone: 'UTC', daily: ['12:00-13:00'] },
          { zone: 'Europe/Berlin', days: ['tue'] },
        ),
      }),
    })
    .map(({ effect, expires, extras, match }) => ({
      effect,
      expires,
      match: Object.fromEntries(
        Object.entries(match).filter(
          ([key]) => key === 'class' || key === 'type' || (extras as string[]).includes(key),
        ),
      ),
    })),
  { minLength: 2, maxLength: 8, size: 'max' },
);

const FLOAT = fc.constantFrom([64, 100], [64, 53], [127, 240], [255, 248]);
const coded = fc.tuple(fc.constantFrom(138, 128, 146, 162), fc.constantFrom(0, 129), byte, byte);
const data = fc.oneof(
  fc.array(byte, { maxLength: 12 }),
  coded.map((all): number[] => all),
  fc.tuple(byte, byte, byte, coded).map(([a, b, c, rest]) => [a, b, c, ...rest]),
  fc
    .tuple(byte, byte, byte, fc.nat(3), FLOAT)
    .map(([a, b, c, unit, float]) => [a, b, c, unit, ...float, 0, 0, 0, 0, 0, 0]),
);
const measured = fc
  .record({
    head: fc.nat(255),
    vscpClass: fc.constantFrom(1, 10, 10, 11, 20, 50, 65, 70, 522, 1040, 1060, 1060),
    type: fc.constantFrom(1, 6, 6, 6, 12),
    data,
  })
  .map(({ head, vscpClass, type, data }) =>
    [head, vscpClass, type, 0, '', 0, GUID, ...data].join(),
  );

/** Those of the rules that parse, in one policy. */
function policyOf(rules: readonly { readonly effect: string }[]): Policy | undefined {
  const problems: Parameters<typeof parsePolicy>[2] = [];
  const named = rules.map((rule, i) => ({
    name: `r${i}`,
    ...rule,
    ...(rule.effect === 'permit'
      ? { to: ['up', i % 2 === 0 ? 'side' : 'board'] }
      : { expires: undefined }),
  }));
  const text = JSON.stringify({
    schema: 'tidegate-policy/v1',
    policy: { id: 'p', revision: 1 },
    rules: named,
  });
  const policy = parsePolicy(text, 'p.yaml', problems);
  return policy.rules.length === 0 ? undefined : policy;
}

await t.test('engine and reasons agree on what data carries', (t) => {
  const seen = { permitted: 0, forbidden: 0, denied: 0, refused: 0 };
  const predicates = new Map<string, number>();
  fc.assert(
    fc.property(drafts, fc.array(measured, { minLength: 12, maxLength: 12 }), (rules, lines) => {
      const policy = policyOf(rules);
      if (!policy) return;
      const explainer = new Explainer([policy], scopeOf([policy]), AT);
      for (const line of lines) {
        const {
          channels,
          rules: reports,
          disagreements,
        } = explainer.explain(parseBody(line), 'lower');
        assert.deepEqual(disagreements, []);
        for (const { verdict } of channels) seen[verdict]++;
        for (const { failure: found } of reports) {
          if (found) predicates.set(found.predicate, (predicates.get(found.predicate) ?? 0) + 1);
        }
      }
    }),
    { numRuns: runs(500) },
  );
  for (const [what, count] of Object.entries(seen)) t.ok(count > 0, `${what}: ${count}`);
  for (const key of [
    'expires',
    'class',
    'type',
    'priority',
    'sensor',
    'zone',
    'subzone',
    'unit',
    'value',
    'size',
    'time',
  ]) {
    t.ok((predicates.get(key) ?? 0) > 0, `${key}: ${predicates.get(key) ?? 0}`);
  }
  t.end();
});
