/** A rule matches exactly what its row's filter and mask do; no input makes the importer crash. */
import fc from 'fast-check';
import { readFileSync } from 'node:fs';
import t from 'tap';
import { parse } from 'yaml';
import { DocumentError } from '../../src/document/document.js';
import { formatGuid, parseGuid } from '../../src/event/guid.js';
import { importMatrix } from '../../src/migrate/decision-matrix.js';
import { parsePolicy } from '../../src/policy/parse.js';
import { classTokens, typeNames } from '../../src/policy/tokens.js';
import { runs } from '../arbitrary/runs.js';

const OPTIONS = { id: 'imported', channel: 'upper' };

interface Header {
  readonly priority: number;
  readonly vscpClass: number;
  readonly type: number;
  readonly guid: Uint8Array;
}

const guid = fc.uint8Array({ minLength: 16, maxLength: 16 });
const prefix = fc.integer({ min: 0, max: 128 }).map((bits) => {
  return Uint8Array.from({ length: 16 }, (_, i) => {
    return 0xff & (0xff00 >> Math.max(0, Math.min(8, bits - i * 8)));
  });
});
const number = fc.oneof(
  fc.constantFrom(0, 1, 6, 10, 20, 0xffff),
  fc.integer({ min: 0, max: 65535 }),
);
const filter: fc.Arbitrary<Header> = fc.record({
  priority: fc.integer({ min: 0, max: 7 }),
  vscpClass: number,
  type: number,
  guid,
});
const mask: fc.Arbitrary<Header> = fc.record({
  priority: fc.constantFrom(0, 0, 7, 15, 1, 6),
  vscpClass: fc.oneof(fc.constantFrom(0, 0xffff), number),
  type: fc.oneof(fc.constantFrom(0, 0xffff), number),
  guid: fc.oneof(fc.constant(new Uint8Array(16)), prefix, guid),
});

/** An event that is near a filter: in each field, one bit differs at most. */
function near(of: Header): fc.Arbitrary<Header> {
  const close = (value: number, bits: number): fc.Arbitrary<number> =>
    fc.oneof(
      fc.constant(value),
      fc.nat(bits - 1).map((bit) => value ^ (1 << bit)),
    );
  return fc.record({
    priority: close(of.priority, 3),
    vscpClass: close(of.vscpClass, 16),
    type: close(of.type, 16),
    guid: fc.oneof(
      fc.constant(of.guid),
      fc
        .nat(127)
        .map((bit) => of.guid.map((byte, i) => byte ^ (i === bit >> 3 ? 1 << (bit & 7) : 0))),
    ),
  });
}

/** What the specification says: `(event ^ filter) & mask` is zero. */
function accepts(of: Header, care: Header, event: Header): boolean {
  return (
    ((event.priority ^ of.priority) & care.priority) === 0 &&
    ((event.vscpClass ^ of.vscpClass) & care.vscpClass) === 0 &&
    ((event.type ^ of.type) & care.type) === 0 &&
    event.guid.every((byte, i) => ((byte ^ of.guid[i]!) & care.guid[i]!) === 0)
  );
}

interface Match {
  readonly any?: boolean;
  readonly raw?: { readonly filter: string; readonly mask: string };
  readonly priority?: number | number[];
  readonly class?: number | string;
  readonly type?: number | string;
  readonly guid?: string | { readonly value: string; readonly mask: string };
}

function readQuad(text: string): Header {
  const [priority, vscpClass, type, id] = text.split(',') as [string, string, string, string];
  return {
    priority: Number(priority),
    vscpClass: Number(vscpClass),
    type: Number(type),
    guid: parseGuid(id),
  };
}

/** A reading of `match` that shares nothing with the policy engine's. */
function matches(match: Match, event: Header): boolean {
  if (match.any) return true;
  if (match.raw) return accepts(readQuad(match.raw.filter), readQuad(match.raw.mask), event);
  const { priority, class: vscpClass, type, guid } = match;
  if (priority !== undefined && ![priority].flat().includes(event.priority)) return false;
  const classNumber = typeof vscpClass === 'string' ? classTokens.get(vscpClass) : vscpClass;
  if (classNumber !== undefined && classNumber !== event.vscpClass) return false;
  const typeNumber = typeof type === 'string' ? typeNames(classNumber!).get(type) : type;
  if (typeNumber !== undefined && typeNumber !== event.type) return false;
  if (guid === undefined) return true;
  if (typeof guid === 'object') {
    const [value, care] = [parseGuid(guid.value), parseGuid(guid.mask)];
    return event.guid.every((byte, i) => ((byte ^ value[i]!) & care[i]!) === 0);
  }
  const [text, bits = '128'] = guid.split('/') as [string, string?];
  const binary = (bytes: number[]): string =>
    bytes.map((byte) => byte.toString(2).padStart(8, '0')).join('');
  const wanted = binary(text.split(':').map((byte) => Number.parseInt(byte, 16)));
  return binary([...event.guid]).startsWith(wanted.slice(0, Number(bits)));
}

function attributes({ priority, vscpClass, type, guid }: Header): string {
  const id = formatGuid(guid);
  return `priority="${priority}" class="0x${vscpClass.toString(16)}" type="${type}" GUID=" ${id}"`;
}

await t.test('a rule matches what its row does, and nothing else', (t) => {
  const sample = fc
    .record({ of: filter, care: mask })
    .chain(({ of, care }) =>
      fc.record({ of: fc.constant(of), care: fc.constant(care), event: near(of) }),
    );
  let [accepted, refused] = [0, 0];
  fc.assert(
    fc.property(sample, ({ of, care, event }) => {
      const xml =
        `<dm><row enable="true"><mask ${attributes(care)}/><filter ${attributes(of)}/>` +
        '<action>0x43</action><param>up.example;9598;;;%event</param></row></dm>';
      const { policy, rules } = importMatrix(xml, 'dm.xml', OPTIONS);
      if (rules !== 1) return false;
      parsePolicy(policy, 'imported.yaml');
      const { match } = (parse(policy) as { rules: [{ match: Match }] }).rules[0];
      const expected = accepts(of, care, event);
      if (expected) accepted++;
      else refused++;
      return matches(match, event) === expected;
    }),
    { numRuns: runs(1000) },
  );
  t.ok(accepted > 100 && refused > 100, `${accepted} matched, ${refused} did not`);
  t.end();
});

const PLANT = readFileSync(new URL('matrices/plant.xml', import.meta.url), 'utf8');
const SNIPPETS = [
  ...[
    '<',
    '>',
    '/>',
    '"',
    '&',
    '&amp;',
    '&#x',
    ';',
    '%',
    '\0',
    '\n',
    ',',
    '-',
    '*',
    '0x',
    '9'.repeat(30),
  ],
  ...[
    '<row>',
    '</row>',
    '<dm>',
    '</dm>',
    '<mask/>',
    '<zone>',
    ']]>',
    '<![CDATA[',
    '<!--',
    '-->',
    '<?x',
  ],
  ...[
    '<!DOCTYPE dm>',
    '\ud800',
    '\u2028',
    '😀',
    '\ufeff',
    'true',
    'false',
    '%event',
    '__proto__="1" ',
  ],
];

/** Runs the importer; what it gives must parse, what it throws must have a place. */
function survives(xml: string): boolean {
  try {
    const { policy, rules, missed, rows, notes } = importMatrix(xml, 'dm.xml', OPTIONS);
    parsePolicy(policy, 'imported.yaml');
    const lines = xml.split(/\r\n?|\n/).length;
    return (
      rules + missed <= rows &&
      notes.every(({ line, column }) => line >= 1 && line <= lines && column >= 1)
    );
  } catch (error) {
    return error instanceof DocumentError && error.file === 'dm.xml' && error.line >= 1;
  }
}

await t.test('a matrix that is changed anywhere is imported or refused with a place', (t) => {
  const edit = fc.record({
    at: fc.nat(PLANT.length),
    length: fc.oneof(fc.constant(0), fc.nat(8), fc.nat(400)),
    text: fc.oneof(fc.constantFrom(...SNIPPETS), fc.string({ maxLength: 6 })),
  });
  const edits = fc.array(edit, { minLength: 1, maxLength: 4 });
  fc.assert(
    fc.property(edits, (changes) => {
      const xml = changes.reduce(
        (text, { at, length, text: put }) => text.slice(0, at) + put + text.slice(at + length),
        PLANT,
      );
      return survives(xml);
    }),
    { numRuns: runs(1000) },
  );
  t.end();
});

await t.test('any content of any element is imported or noted', (t) => {
  const names = ['mask', 'action', 'param', 'comment', 'control', 'index', 'zone', 'allowed_time'];
  const more = ['allowed_from', 'allowed_to', 'allowed_weekdays', 'subzone', 'measurement', 'x'];
  const words = fc
    .array(
      fc.constantFrom(...'0 1 7 43 0x43 * - : / ; , % %event 2026 12 31 mtwtfss true'.split(' ')),
      {
        maxLength: 12,
      },
    )
    .map((parts) => parts.join(''));
  const element = fc
    .record({ name: fc.constantFrom(...names, ...more), text: words, flag: words })
    .map(({ name, text, flag }) => `<${name} measurementindex="${flag}">${text}</${name}>`);
  fc.assert(
    fc.property(fc.array(element, { maxLength: 6 }), fc.boolean(), (elements, sends) => {
      const action = sends ? '<action>67</action><param>h;1;;;%event</param>' : '';
      return survives(`<dm><row enable="true">${action}${elements.join('')}</row></dm>`);
    }),
    { numRuns: runs(700) },
  );
  const cleaned = element.map((text) => text.replace(/ measurementindex="[^"]*"/, ''));
  fc.assert(
    fc.property(fc.array(cleaned, { maxLength: 2 }), (elements) => {
      const send = '<action>67</action><param>h;1;;;%event</param>';
      return survives(`<dm><row enable="true">${send}${elements.join('')}</row></dm>`);
    }),
    { numRuns: runs(700) },
  );
  t.end();
});
