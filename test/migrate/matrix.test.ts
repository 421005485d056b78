/** XML that is broken, hostile or no decision matrix is refused at its place. */
import t from 'tap';
import { DocumentError } from '../../src/document/document.js';
import { MAX_ROWS, readMatrix } from '../../src/migrate/matrix.js';

/** [what, XML, line:column, message] */
const REFUSED: readonly (readonly [string, string, string, RegExp])[] = [
  ['nothing', '', '1:1', /broken XML: document must contain a root element/],
  ['blanks', ' \n ', '2:1', /must contain a root element/],
  ['no XML', 'schema: tidegate/v1', '1:19', /broken XML: text data outside of root node/],
  ['an element that is not closed', '<dm>\n <row>', '2:6', /unclosed tag: row/],
  ['a tag that is not closed', '<dm>\n <row', '2:5', /unclosed tag: dm/],
  ['the wrong end', '<dm>\n <row></dm>', '2:11', /unexpected close tag/],
  ['an attribute without quotes', '<dm><row enable=true/></dm>', '1:17', /unquoted attribute/],
  ['an attribute twice', '<dm><row a="1" a="2"/></dm>', '1:22', /duplicate attribute: a/],
  ['a second root', '<dm/>\n<dm/>', '2:4', /only one root/],
  ['another root', '\n <vscpconfig/>', '2:2', /no decision matrix: its root element is <dm>/],
  ['other elements', '<dm>\n\n<event/></dm>', '3:1', /holds <row> elements only/],
  ['text in between', '<dm>\n<row/>\nx</dm>', '3:2', /text between elements/],
  ['text in a row', '<dm><row>\r\n x <mask/></row></dm>', '2:4', /text between elements/],
  ['an unknown entity', '<dm><row>&secret;</row></dm>', '1:17', /undefined entity/],
  ['what every object has', '<dm><row>&constructor;</row></dm>', '1:22', /undefined entity/],
  ['a prototype', '<dm><row><param>&__proto__;</param></row></dm>', '1:27', /undefined entity/],
  ['a character that is none', '<dm>&#0;</dm>', '1:8', /malformed character entity/],
  ['a control character', '<dm>\n\u0001</dm>', '2:1', /disallowed character/],
  ['another encoding', '<?xml version="1.0" encoding="ISO-8859-1"?><dm/>', '1:43', /must be UTF-8/],
  ['a DOCTYPE', '<!DOCTYPE dm SYSTEM "file:///etc/passwd"><dm/>', '1:41', /DOCTYPE.*not allowed/],
  [
    'entities that grow',
    `<!DOCTYPE dm [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;&a;">]><dm><row>&b;</row></dm>`,
    '1:60',
    /DOCTYPE.*not allowed/,
  ],
  ['33 levels', `<dm><row>${'<param>'.repeat(31)}`, '1:220', /deeper than 32 levels/],
  ['too many rows', `<dm>${'\n<row/>'.repeat(MAX_ROWS + 1)}</dm>`, '4098:1', /more than 4096 rows/],
  ['too much', `<dm>${' '.repeat(1024 * 1024)}</dm>`, '1:1', /larger than 1 MiB/],
];

for (const [what, xml, place, message] of REFUSED) {
  await t.test(`refused: ${what}`, (t) => {
    try {
      readMatrix(xml, 'dm.xml');
      t.fail('it is read');
    } catch (error) {
      if (!(error instanceof DocumentError)) throw error;
      t.match(error.message, message);
      t.equal(`${error.line}:${error.column}`, place);
      t.ok(error.message.startsWith(`dm.xml:${place}: `));
    }
    t.end();
  });
}

await t.test('names have no case, values are trimmed, elements know their place', (t) => {
  const xml = `\ufeff<?xml version="1.0"?>
<DM>
  <Row Enable=" true ">
    <MASK GUID=" 00 "
          Class="1"/><filter/>
    <param>a<!-- b --><![CDATA[<&>]]>&lt;&amp;</param>
  </Row>
  <row __proto__="1" constructor="2"/>
</DM>`;
  const [first, second, ...more] = readMatrix(xml, 'dm.xml');
  t.same(more, []);
  t.match(first, { number: 1, name: 'row', line: 3, column: 3 });
  t.same([...first!.attributes], [['enable', 'true']]);
  t.same(
    first!.elements.map(({ name, line, column }) => `${name} ${line}:${column}`),
    ['mask 4:5', 'filter 5:22', 'param 6:5'],
  );
  t.same(
    [...first!.elements[0]!.attributes],
    [
      ['guid', '00'],
      ['class', '1'],
    ],
  );
  t.equal(first!.elements[2]!.text, 'a<&><&');
  t.same([...second!.attributes.keys()], ['__proto__', 'constructor']);
  t.equal(({} as Record<string, unknown>)['1'], undefined);
  t.end();
});

await t.test('what is ambiguous or nested is marked', (t) => {
  const xml = '<dm><row><mask guid="1" GUID="2"/><param><b>x</b></param></row></dm>';
  const [row] = readMatrix(xml, 'dm.xml');
  t.match(row!.elements, [{ doubled: 'guid' }, { name: 'param', holdsElements: true, text: '' }]);
  t.end();
});
