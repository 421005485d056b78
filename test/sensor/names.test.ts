import t from 'tap';
import { parseBody } from '../../src/event/event.js';
import { namingOf, parseNames } from '../../src/sensor/names.js';
import { Origin } from '../../src/sensor/reading.js';

const GUID = 'FF:FF:FF:FF:FF:FF:FF:FE:B8:27:EB:10:00:01:00:02';
const head = 'schema: tidegate-names/v1\n';
const FILE = `${head}title: The harbour
show: named
zones:
  pier: { name: Pier 3, at: [20, 80.5] }
  quay: {}
sensors:
  - match: { class: CLASS1.MEASUREMENT, type: TEMPERATURE, guid: '${GUID}', sensor: 2 }
    name: Water temperature
    place: Pier 3, north
    zone: pier
    unit: fahrenheit
    decimals: 1
    at: [22, 78]
  - { match: { class: CLASS1.MEASUREMENT, type: TEMPERATURE }, hide: true }
  - { match: { class: CLASS1.ALARM }, name: Alarm, zone: quay }
`;

function originOf(line: string): Origin {
  const origin = new Origin();
  origin.read(parseBody(line));
  return origin;
}

await t.test('a names file says what sensors are called, where they are and what is shown', (t) => {
  const names = parseNames(FILE, 'board.yaml');
  t.same(names.zones, [
    { id: 'pier', name: 'Pier 3', position: { x: 20, y: 80.5 } },
    { id: 'quay', name: 'quay' },
  ]);
  t.match(names, { title: 'The harbour', showOthers: false });
  const [first, place] = namingOf(names, originOf(`96,10,6,0,,0,${GUID},0x8A,0x81,0x01,0x07`));
  t.match(first, { name: 'Water temperature', zone: 'pier', unit: 'fahrenheit', decimals: 1 });
  t.equal(place, 0);
  const [second] = namingOf(names, originOf(`96,10,6,0,,0,${GUID},0x89,0x81,0x01,0x07`));
  t.equal(second?.hide, true, 'of another index');
  t.match(namingOf(names, originOf(`0,1,2,0,,0,${GUID},0,1,2`))[0], { name: 'Alarm' });
  t.same(namingOf(names, originOf(`96,10,35,0,,0,${GUID},0x80,1,2`)), [undefined, 3]);
  t.end();
});

await t.test('what is wrong is said with its place and the way out', (t) => {
  const wrong: readonly (readonly [text: string, error: RegExp])[] = [
    ['', /board\.yaml:1:1: /],
    ['schema: tidegate-board/v1', /must be tidegate-names\/v1/],
    [`${head}colour: red`, /2:1: unknown key 'colour'; known: schema, title/],
    [`${head}tilte: x`, /did you mean 'title'/],
    [`${head}zones: { a: { at: [1] } }`, /must be \[x, y\], in percent/],
    [`${head}zones: { a: { at: [1, 101] } }`, /must be 0 to 100/],
    [`${head}zones: { a: { at: [1, .nan] } }`, /must be a number/],
    [`${head}zones: { '../a': {} }`, /is no name/],
    [`${head}sensors: []`, /must not be empty/],
    [`${head}sensors: [{ name: x }]`, /needs 'match'/],
    [`${head}sensors: [{ match: {} }]`, /must say something/],
    [`${head}sensors: [{ match: { class: 10 }, zone: pire }]`, /no zone is named 'pire'/],
    [`${head}sensors: [{ match: { class: CLASS1.MESUREMENT } }]`, /MEASUREMENT/],
    [`${head}sensors: [{ match: { guid: 'FF:1' } }]`, /a GUID has 16 bytes/],
    [`${head}sensors: [{ match: { class: 10 }, unit: celsius }]`, /says class and type/],
    [
      `${head}sensors: [{ match: { class: 10, type: 6 }, unit: celcius }]`,
      /did you mean 'celsius'/,
    ],
    [`${head}sensors: [{ match: { class: 10, type: 6 }, name: "a\\u0007" }]`, /control characters/],
    [`${head}sensors: [{ match: { class: 10 }, name: ${'x'.repeat(81)} }]`, /longer than 80/],
    [`${head}title: a\ntitle: b`, /3:1/],
  ];
  for (const [text, error] of wrong) {
    t.throws(() => parseNames(text, 'board.yaml'), { message: error }, text.slice(0, 80));
  }
  t.end();
});
