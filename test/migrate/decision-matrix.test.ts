/** Rows become rules that let out what they let out, or notes that say why not. */
import { readFileSync } from 'node:fs';
import t from 'tap';
import { importMatrix } from '../../src/migrate/decision-matrix.js';
import { parsePolicy } from '../../src/policy/parse.js';

const OPTIONS = { id: 'imported', channel: 'upper' };
const SEND = '<action>0x43</action><param>up.example;9598;admin;pass;%event</param>';
const MEASURE = '<mask class="0xFFFF" type="0xFFFF"/><filter class="10" type="6"/>';
const ZONED = '<mask class="0xFFFF" type="0xFFFF"/><filter class="65" type="6"/>';

function importRows(rows: string, options: Partial<typeof OPTIONS & { zone: string }> = {}) {
  return importMatrix(`<dm>\n${rows}\n</dm>`, 'dm.xml', { ...OPTIONS, ...options });
}

/** What stands under `match:` of the only rule of a row, each line without its indentation. */
function matchOf(content: string): string[] {
  const { policy, rules, missed, notes } = importRows(`<row enable="true">${SEND}${content}</row>`);
  if (rules !== 1 || missed !== 0) return notes.map(({ message }) => message);
  parsePolicy(policy, 'imported.yaml');
  const [, match = ''] = policy.split('    match:\n');
  return match
    .trimEnd()
    .split('\n')
    .map((line) => line.trim());
}

/** Of a row that is not carried over, why. */
function whyNot(content: string, attributes = 'enable="true"'): string {
  const { rules, missed, notes, policy } = importRows(`<row ${attributes}>${content}</row>`);
  parsePolicy(policy, 'imported.yaml');
  if (rules !== 0 || missed !== 1 || notes.length !== 1) return 'it is carried over';
  return notes[0]!.message;
}

await t.test('a realistic matrix', (t) => {
  const folder = new URL('matrices/', import.meta.url);
  const read = (name: string): string => readFileSync(new URL(name, folder), 'utf8');
  const imported = importMatrix(read('plant.xml'), 'plant.xml', { id: 'plant', channel: 'upper' });
  t.equal(imported.policy, read('plant.yaml.golden'));
  t.match(imported, { rows: 9, rules: 5, missed: 2 });
  t.same(
    imported.notes.map(({ row, line, column, message }) => {
      return `${row} ${line}:${column} ${message.slice(0, 48)}`;
    }),
    [
      "2 21:3 row 2: its times are those of the daemon's clock",
      '3 48:5 row 3: control does not ask for <subzone>, so th',
      '4 51:3 row 4: it sends to another server, brigade.examp',
      '5 65:5 row 5: not carried over: it compares the value o',
      '6 68:3 row 6: it is disabled: enable it and import agai',
      '7 79:5 row 7: action 0x75 (call a URL, which may let da',
      '8 89:5 row 8: not carried over: the times of a rule are',
      '9 92:3 row 9: it sends to another server, mirror.exampl',
      '9 92:3 row 9: ITS MASK IS ZERO, SO THE RULE LETS EVERY ',
    ],
  );
  t.notMatch(imported.policy, /secret|admin/);
  const { rules } = parsePolicy(imported.policy, 'plant.yaml');
  t.same(
    rules.map((rule) => rule.to?.map(({ text }) => text)),
    [['upper'], ['upper'], ['upper'], ['upper-2'], ['upper-3']],
  );
  t.end();
});

const GUID = 'FF:FF:FF:FF:FF:FF:FF:FE:B8:27:EB:1F:00:00:00:07';
const FULL = 'FF:FF:FF:FF:FF:FF:FF:FF:FF:FF:FF:FF:FF:FF:FF:FF';
const NONE = '00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00';

/** [what, content, lines of match] */
const MATCHES: readonly (readonly [string, string, readonly string[]])[] = [
  ['class and type', MEASURE, ['class: CLASS1.MEASUREMENT', 'type: TEMPERATURE']],
  [
    'numbers without a token',
    '<mask class="0b1111111111111111" type="0o177777"/><filter class="777" type="9"/>',
    ['class: 777', 'type: 9'],
  ],
  ['a type alone', '<mask type="65535"/><filter type="6"/>', ['type: 6']],
  [
    'a filter beyond its mask',
    '<mask class="65535"/><filter class="1" type="6"/>',
    ['class: CLASS1.ALARM'],
  ],
  ['a priority', '<mask priority="15"/><filter priority="2"/>', ['priority: 2']],
  ['priorities', '<mask priority="4"/><filter priority="3"/>', ['priority: [0, 1, 2, 3]']],
  ['a filter not needed', `<filter priority="-1"/><mask type="0xffff"/>`, ['type: 0']],
  ['a GUID', `<mask guid="${FULL}"/><filter guid=" ${GUID}"/>`, [`guid: "${GUID}"`]],
  [
    'a prefix',
    `<mask guid="FF:FF:FF:FF:FF:FF:FF:FF:FF:FF:FF:F0:00:00:00:00"/><filter GUID="${GUID}"/>`,
    ['guid: "FF:FF:FF:FF:FF:FF:FF:FE:B8:27:EB:10/92"'],
  ],
  [
    'a part of a GUID',
    `<mask guid="00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:0F"/><filter guid="${GUID}"/>`,
    [
      'guid:',
      'value: "00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:07"',
      'mask: "00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:0F"',
    ],
  ],
  [
    'a part of a type',
    '<mask class="65535" type="240" priority="1"/><filter class="20" type="0xff"/>',
    ['raw:', `filter: "0,20,240,${NONE}"`, `mask: "1,65535,240,${NONE}"`],
  ],
  ['nothing', '', ['any: true # every event: narrow it']],
  [
    'an index of a coding',
    `${MEASURE}<index measurementindex="TRUE">2</index>`,
    ['class: CLASS1.MEASUREMENT', 'type: TEMPERATURE', 'sensor: 2'],
  ],
  [
    'index, zone and sub-zone',
    `${ZONED}<index>300</index>`.replace('300', '0xff') +
      '<zone bEnable="true">2</zone><subzone>3</subzone>',
    ['class: CLASS1.MEASUREZONE', 'type: TEMPERATURE', 'sensor: 255', 'zone: 2', 'subzone: 3'],
  ],
  [
    'what control asks for',
    `${ZONED}<control>0x80000008</control><index>0</index><zone>0</zone><subzone>3</subzone>`,
    ['class: CLASS1.MEASUREZONE', 'type: TEMPERATURE', 'subzone: 3'],
  ],
  [
    'hours',
    `${MEASURE}<allowed_time>*-*-* 0/1/22/23:*:*</allowed_time>`,
    [
      'class: CLASS1.MEASUREMENT',
      'type: TEMPERATURE',
      'time: { zone: UTC, daily: ["00:00-02:00", "22:00-24:00"] }',
    ],
  ],
  [
    'minutes',
    '<mask type="65535"/><filter type="6"/><allowed_time>* 14:30/31/45:*</allowed_time>',
    ['type: 6', 'time: { zone: UTC, daily: ["14:30-14:32", "14:45-14:46"] }'],
  ],
  [
    'months',
    '<mask type="65535"/><filter type="6"/><allowed_time>2027/2028-2-* *</allowed_time>',
    ['type: 6', 'time: { zone: UTC, dates: ["2027-02-01..2027-02-28", "2028-02-01..2028-02-29"] }'],
  ],
  [
    'days of some months',
    '<mask type="65535"/><filter type="6"/><allowed_time>2027-2/12-28/29/31 *</allowed_time>',
    [
      'type: 6',
      'time: { zone: UTC, dates: ["2027-02-28", "2027-12-28..2027-12-29", "2027-12-31"] }',
    ],
  ],
  [
    'years',
    '<mask type="65535"/><filter type="6"/><allowed_time>2027/2028/0030-*-* *</allowed_time>',
    ['type: 6', 'time: { zone: UTC, dates: ["0030-01-01..0030-12-31", "2027-01-01..2028-12-31"] }'],
  ],
  [
    'dates within dates',
    '<mask type="65535"/><filter type="6"/><allowed_time>2027-*-* *:*:*</allowed_time>' +
      '<allowed_from>2027-06-01T00:00:00</allowed_from><allowed_to>*</allowed_to>',
    ['type: 6', 'time: { zone: UTC, dates: ["2027-06-01..2027-12-31"] }'],
  ],
  [
    'days',
    '<mask type="65535"/><filter type="6"/><allowed_weekdays> mt-t--S </allowed_weekdays>',
    ['type: 6', 'time: { zone: UTC, days: [mon, tue, thu, sun] }'],
  ],
  [
    'times that are always',
    '<mask type="65535"/><filter type="6"/><allowed_weekdays>*</allowed_weekdays>' +
      '<allowed_from></allowed_from><allowed_to>9999-12-31 23:59:59</allowed_to>' +
      '<allowed_time>*-*-* *:*:0/1/2</allowed_time>'.replace('*:0/1/2', '*:*'),
    ['type: 6'],
  ],
];

for (const [what, content, lines] of MATCHES) {
  await t.test(`carried over: ${what}`, (t) => {
    t.same(matchOf(content), lines);
    t.end();
  });
}

/** [what, content of the row beside the action, part of the note] */
const HINDRANCES: readonly (readonly [string, string, RegExp])[] = [
  ['a mask that is no number', '<mask class="all"/>', /mask's class is 'all', not a number/],
  ['a mask too large', '<mask type="0x10000"/>', /not a number of 0 to 65535/],
  ['a GUID that is none', '<mask guid="FF:GG"/>', /GUID 'FF:GG'/],
  ['a filter that is no number', '<mask class="1"/><filter class="-1"/>', /filter's class is '-1'/],
  ['a priority that no event has', '<mask priority="15"/><filter priority="8"/>', /never matches/],
  ['an unknown element', '<user>admin</user>', /<user> is not known/],
  ['an unknown attribute', '<mask class="1" head="7"/>', /<mask> has an unknown attribute 'head'/],
  ['two masks', '<mask/><mask class="1"/>', /a second <mask>/],
  ['two spellings', '<mask guid="" GUID=""/>', /'guid' is there twice/],
  ['an element within', '<comment><b>x</b></comment>', /<comment> holds elements of its own/],
  ['a measurement', `${MEASURE}<measurement compare="noop"/>`, /compares the value/],
  ['an index of any class', '<index>1</index>', /only within a class/],
  ['a byte that no predicate sees', `${MEASURE}<index>1</index>`, /the whole coding byte/],
  ['bits of an index', `${ZONED}<index bMeasurement="true">1</index>`, /three bits/],
  ['an index that no event has', `${MEASURE}<index measurementindex="true">8</index>`, /never/],
  ['a flag that is none', `${MEASURE}<index measurementindex="1">1</index>`, /true or false/],
  ['a zone that is none', `${MEASURE}<zone>1</zone>`, /CLASS1.MEASUREMENT has no zone/],
  ['a zone that is off', `${ZONED}<zone bEnable="false">1</zone>`, /daemon does not look at/],
  ['a zone without a number', `${ZONED}<zone/>`, /the zone is '', not a number/],
  [
    'the index of an alarm',
    '<mask class="65535"/><filter class="1"/><index>1</index>',
    /no predicate looks at the first byte of class CLASS1.ALARM/,
  ],
  [
    'a framed event',
    '<mask class="65535"/><filter class="522"/><index measurementindex="true">1</index>',
    /no predicate looks/,
  ],
  ['control of nothing', `${ZONED}<control>0x10</control>`, /there is no <zone>/],
  ['unknown bits', '<control>0x80000001</control>', /bits that are not known/],
  ['control that is no number', '<control>on</control>', /control is 'on', not a number/],
  ['seconds', '<allowed_time>*-*-* *:*:0</allowed_time>', /whole minutes/],
  ['a list of seconds', '<allowed_time>* *:*:0/30</allowed_time>', /whole minutes/],
  ['days without a year', '<allowed_time>*-12-24 *:*:*</allowed_time>', /have a year/],
  ['too many minutes', '<allowed_time>* *:0/10/20:*</allowed_time>', /more than 64 times/],
  [
    'too many dates',
    `<allowed_time>2030/2031/2032/2033/2034/2035-*-1/2 *</allowed_time>`,
    /more than 64 times/,
  ],
  ['a range', '<allowed_time>* 6-9:*:*</allowed_time>', /is no hour/],
  ['an hour that is none', '<allowed_time>* 24:*:*</allowed_time>', /is no hour/],
  ['another form', '<allowed_time>2026:01:01 *:*:*</allowed_time>', /is no pattern/],
  ['a day that is none', '<allowed_time>2027-02-30 *</allowed_time>', /never matches/],
  ['an instant', '<allowed_from>2026-01-01 06:00:00</allowed_from>', /whole days: make it/],
  ['a date that is none', '<allowed_to>2026-02-30 23:59:59</allowed_to>', /is no time as/],
  ['no day', '<allowed_weekdays>-------</allowed_weekdays>', /never matches/],
  ['days of another language', '<allowed_weekdays>lmmjvsd</allowed_weekdays>', /must be mtwtfss/],
  [
    'an end before the start',
    '<allowed_from>2027-01-01 00:00:00</allowed_from><allowed_to>2026-12-31 23:59:59</allowed_to>',
    /never matches/,
  ],
  [
    'a weekday that is not among the dates',
    '<allowed_time>2026-12-24 *</allowed_time><allowed_weekdays>mtw-fss</allowed_weekdays>',
    /never matches/,
  ],
];

for (const [what, content, message] of HINDRANCES) {
  await t.test(`not carried over: ${what}`, (t) => {
    t.match(whyNot(SEND + content), message);
    t.end();
  });
}

/** [what, parameters, part of the note] */
const PARAMETERS: readonly (readonly [string, string, RegExp])[] = [
  ['none', '', /must be host;port/],
  ['no event', 'up.example;9598;admin;pass', /must be host;port/],
  ['more', 'up.example;9598;admin;pass;%event;x', /must be host;port/],
  ['no server', ';9598;admin;pass;%event', /no name/],
  ['a server that is none', 'up\u200b;9598;admin;pass;%event', /none of ASCII/],
  ['no port', 'up.example;pass;admin;pass;%event', /the port is no number/],
  ['a variable as the server', '%variable:[up];9598;admin;pass;%event', /escape \(%\) in front/],
  ['an escape in front', 'up.example;9598;admin;a%;b;%event', /escape \(%\) in front/],
  ['a part of the event', 'up.example;9598;a;p;0,%event.class,6,0,,,-,1', /escapes or variables/],
  ['a variable', 'up.example;9598;a;p;$event', /escapes or variables/],
  ['more than the event', 'up.example;9598;a;p;%event,1', /escapes or variables/],
  ['no event at all', 'up.example;9598;a;p;hello', /the event sent: malformed event/],
  ['a time', 'up.example;9598;a;p;0,20,3,0,2026-01-01T00:00:00Z,0,-,1', /fixed time/],
  ['bits of the head', 'up.example;9598;a;p;0x10,20,3,0,,,-,1', /lower bits|malformed/],
];

for (const [what, param, message] of PARAMETERS) {
  await t.test(`parameters: ${what}`, (t) => {
    const why = whyNot(`<action>0x43</action><param>${param}</param>`);
    t.match(why, message);
    t.notMatch(why, 'pass;');
    t.end();
  });
}

await t.test('a row needs an action, parameters and one attribute that enables it', (t) => {
  t.match(whyNot('<param>x</param>'), /there is no <action>/);
  t.match(whyNot('<action>0x43</action>'), /there is no <param>/);
  t.match(whyNot('<action>send</action>'), /the action is 'send', not a number/);
  t.match(whyNot('<action>0x43</action><action>0x10</action>'), /a second <action>/);
  t.match(whyNot(SEND, 'enable="true" enabled="false"'), /'enable' and 'enabled' differ/);
  t.match(whyNot(SEND, 'enable="true" user="admin"'), /unknown attribute 'user'/);
  t.match(whyNot(SEND, 'enable="true" Enable="false"'), /'enable' is there twice/);
  t.end();
});

await t.test('rows that send nothing are said, and are no failure', (t) => {
  const row = (attributes: string, content: string): string =>
    `<row ${attributes}>${content}</row>`;
  const { rules, missed, notes } = importRows(
    [
      row('', SEND),
      row('enable="false"', SEND),
      row('enable="yes"', SEND),
      row('enabled="true"', `<control>0</control>${SEND}`),
      row('enable="true"', '<action>16</action>'),
      row('enable="true"', '<action>0x999</action><nonsense/>'),
      row('enable="true"', '<action>0x40</action><param>0,20,3,0,,,-,1</param>'),
    ].join(''),
  );
  t.match({ rules, missed }, { rules: 0, missed: 0 });
  t.same(
    notes.map(({ message }) => message.replace(/:.*?(disabled|action 0x\w+).*/, ' $1')),
    [
      ...['row 1 disabled', 'row 2 disabled', 'row 3 disabled', 'row 4 disabled'],
      ...['row 5 action 0x10', 'row 6 action 0x999', 'row 7 action 0x40'],
    ],
  );
  t.end();
});

await t.test('after a row that stops the daemon, none is a rule', (t) => {
  const send = (control: string): string => `<row enable="true">${SEND}${MEASURE}${control}</row>`;
  const stops = '<control>0x40000000</control>';
  const other = `<row enable="true"><action>0x10</action>${stops}</row>`;
  t.match(importRows(send(stops) + send('')), { rules: 1, missed: 1 });
  t.match(importRows(send('') + other + send('') + send('')), { rules: 1, missed: 2 });
  t.match(importRows(other.replace('0x40000000', '0x60000000') + send('')), {
    rules: 0,
    missed: 1,
  });
  t.match(importRows(other.replace('true', 'false') + send('')), { rules: 1, missed: 0 });
  t.end();
});

await t.test('two rows of a channel must not send different events for one', (t) => {
  const row = (filter: string, event: string, server = 'up.example'): string =>
    `<row enable="true">${filter}<action>0x43</action>` +
    `<param>${server};9598;a;p;${event}</param></row>`;
  const other = MEASURE.replace('"6"', '"7"');
  const fixed = '0x60,20,3,0,,,-,1,2,3';
  const { notes } = importRows(row(MEASURE, '%event') + row(MEASURE, fixed));
  t.match(notes, [{ row: 2, message: /an event can match row 1 too, which sends another/ }]);
  t.match(importRows(row(MEASURE, '%event') + row(MEASURE, '%event')), { rules: 2, missed: 0 });
  t.match(importRows(row(MEASURE, '%event') + row(other, fixed)), { rules: 2, missed: 0 });
  const apart = importRows(row(MEASURE, '%event') + row(MEASURE, fixed, 'Two.example'));
  t.match(apart, {
    rules: 2,
    missed: 0,
    notes: [{ row: 2, message: /two.example:9598.*upper-2/ }],
  });
  t.match(apart.policy, /emit:\n {6}priority: 3\n {6}class: CLASS1.INFORMATION\n {6}type: ON\n/);
  t.match(apart.policy, /\n {6}data: \[1, 2, 3\]\n/);
  parsePolicy(apart.policy, 'apart.yaml');
  t.end();
});

await t.test('text of the file stays text', (t) => {
  const hostile = [
    '"\nrules: []',
    "' # x",
    '*/ --> ]]',
    '\u2028match: { any: true }\u0085',
    '\u202egnol',
    '{ any: true }',
    '\u200b',
    'x'.repeat(5000),
    '😀'.repeat(300),
  ];
  const rows = hostile.map((text) => {
    const safe = text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll(']]>', '');
    const attribute = safe.replaceAll('"', '&quot;');
    return (
      `<row enable="true" groupid="${attribute}"><comment>${safe}</comment>${MEASURE}` +
      `<action>0x43</action><param>up.example;1;${safe.replaceAll(';', '')};b;%event</param></row>`
    );
  });
  const { policy, rules } = importRows(rows.join('\n'));
  t.equal(rules, hostile.length);
  t.equal(parsePolicy(policy, 'hostile.yaml').rules.length, rules);
  t.notMatch(policy, /[^\P{C}\n]|[\u2028\u2029]/u);
  t.end();
});

await t.test('a matrix with nothing to carry over is a policy that lets nothing out', (t) => {
  const { policy, rules } = importMatrix('<dm/>', 'a\nb: "dm".xml', OPTIONS);
  t.equal(rules, 0);
  t.match(parsePolicy(policy, 'empty.yaml').rules, [{ effect: 'forbid', to: [{ text: 'upper' }] }]);
  t.end();
});

await t.test('the zone is named, or said to be a guess, once', (t) => {
  const row = `<row enable="true">${SEND}<allowed_weekdays>mtwtf--</allowed_weekdays></row>`;
  const guessed = importRows(row + row).notes.filter(({ message }) => message.includes('UTC'));
  t.equal(guessed.length, 1);
  const named = importRows(row, { zone: 'Europe/Berlin' });
  t.match(named.policy, 'time: { zone: Europe/Berlin, days: [mon, tue, wed, thu, fri] }');
  t.notMatch(named.notes, [{ message: /UTC/ }]);
  t.throws(() => importRows(row, { zone: 'x, any: true' }), TypeError);
  t.throws(() => importRows(row, { id: 'x }' }), TypeError);
  t.end();
});

await t.test('a policy never grows beyond what a document may hold', (t) => {
  const row =
    `<row enable="true">${MEASURE}<comment>${'x'.repeat(60)}</comment>` +
    '<action>67</action><param>h;1;;;%event</param></row>';
  const { policy, rules, missed } = importRows(row.repeat(4096));
  t.ok(policy.length < 1024 * 1024);
  t.equal(rules + missed, 4096);
  t.ok(missed > 0);
  t.end();
});
