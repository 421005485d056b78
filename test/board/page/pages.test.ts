/** The pages as HTML, without a browser. */
import t from 'tap';
import { html } from '../../../src/board/pages/html.js';
import { loadPages } from '../../../src/board/pages/pages.js';
import { RANGES } from '../../../src/page/words.js';
import type { Series } from '../../../src/sensor/view.js';
import { fakeSensor, FakeView, NOON } from '../fake.js';
import { plantScene } from './scene.js';

const pages = loadPages();

/** Of tags as they are written, without texts. */
function tags(page: string): string[] {
  return page.match(/<[a-z][^>]*>/g) ?? [];
}

await t.test('what is put into a template is escaped, once', (t) => {
  const inner = html`<b>${'<&>"\''}</b>`;
  t.equal(
    html`<p title="${'"x'}">${[inner, 1, false, undefined]}</p>`.toString(),
    '<p title="&quot;x"><b>&lt;&amp;&gt;&quot;&#39;</b>1</p>',
  );
  t.equal(html`${'a\0\x1b\x85\ud800\uffff\u{1fffe}b\n\t😀'}`.toString(), 'a������b\n\t😀');
  t.end();
});

await t.test('the page has nothing that its policy forbids, and asks nobody else', (t) => {
  const { view, sensors } = plantScene(NOON, 1);
  const sensor = view.sensor(sensors[0]!.id)!;
  for (const page of [
    pages.index(view, NOON),
    pages.sensor(view, sensor, undefined, NOON),
    pages.notFound(),
  ])
    for (const tag of tags(page)) {
      t.notMatch(tag, /\s(style|on\w+)=/);
      t.notMatch(tag, /^<(style|base|form|iframe|object|embed)\b/);
      if (tag.startsWith('<script')) t.match(tag, /\ssrc="\/assets\//);
      for (const [, address] of tag.matchAll(/\s(?:href|src)="([^"]*)"/g)) {
        t.match(address, /^(\/(?!\/)|#)/);
        if (address!.startsWith('/assets/')) t.ok(pages.assets.has(address!), address!);
      }
    }
  t.end();
});

await t.test('modules find each other: every import is an asset of the same directory', (t) => {
  const paths = [...pages.assets.keys()];
  const directory = /^\/assets\/[0-9a-f]{16}\//.exec(paths[0]!)![0];
  for (const [path, { type, bytes }] of pages.assets) {
    t.ok(path.startsWith(directory));
    t.match(type, /^(text\/javascript; charset=utf-8|text\/css; charset=utf-8|image\/svg\+xml)$/);
    t.ok(bytes.length > 0);
    if (!path.endsWith('.js') || path.includes('uPlot')) continue;
    const code = bytes.toString();
    for (const [, name] of code.matchAll(/(?:from|import\(|import) ?'([^']+)'/g))
      t.ok(pages.assets.has(directory + name!.replace('./', '')), `${path} imports ${name}`);
    t.notMatch(
      code,
      /innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|new Function/,
    );
    if (path.endsWith('/early.js')) t.notMatch(code, /^(import|export) /m, 'a classic script');
  }
  t.same([...loadPages().assets.keys()], paths, 'the same names each time');
  t.end();
});

await t.test('a page per sensor has its chart and values, also of strange series', (t) => {
  const view = FakeView.of(1);
  const sensor = view.sensors()[0]!;
  const page = (points?: Series['points'], resolution: Series['resolution'] = 'raw'): string =>
    pages.sensor(view, sensor, points && { sensor: sensor.id, resolution, points }, NOON);
  t.match(page(), 'No history is kept of this sensor yet.');
  t.match(page([]), 'No history is kept of this sensor yet.');
  t.match(page([[NOON, 1, 1, 1]]), '1 Mar 2026, 12:00:00<span class="scripts-replace"> UTC<');
  const strange = page([
    [-9e15, -1e308, -1e308, -1e308],
    [0, 0, 0, 0],
    [9e15, 1e308, 1e308, 1e308],
  ]);
  for (const [, d] of strange.matchAll(/ d="([^"]*)"/g)) t.notMatch(d, /NaN|Infinity|e\+/);
  const many = Array.from(
    { length: 2000 },
    (_, i) => [NOON + i * 3_600_000, i, i - 1, i + 1] as const,
  );
  const long = page(many, 'hour');
  t.equal(long.match(/<tr>/g)!.length, 301);
  t.match(long, '(the newest 300 of 2000)');
  t.match(long, 'Greatest</th>');
  t.end();
});

await t.test('values, ages and times of all kinds do not break a page', (t) => {
  const view = new FakeView();
  const strange = [NaN, Infinity, -Infinity, 1e308, -0, 5e-324];
  strange.forEach((value, index) =>
    view.show(
      fakeSensor(index, { decimals: value, position: { x: value, y: value } }),
      value,
      value,
    ),
  );
  view.raise({ since: NaN, time: Infinity, count: 2 });
  view.setRelay({ state: 'away', since: 1e300, silent: [{ name: '', since: -1e300 }] });
  const page = pages.index(view, NOON);
  t.match(page, 'an unknown time');
  t.notMatch(page, /NaN|Infinity|undefined/);
  for (const sensor of view.sensors()) t.ok(pages.sensor(view, sensor, undefined, NaN));
  t.end();
});

await t.test('sensors are in the groups of their zones, others at the end', (t) => {
  const view = new FakeView();
  view.zones = [
    { id: 'b', name: 'Bee' },
    { id: 'empty', name: 'Empty one' },
    { id: 'a', name: 'Ay' },
  ];
  ['a', '', 'b', 'gone'].forEach((zone, index) => view.show(fakeSensor(index, { zone })));
  const page = pages.index(view, NOON);
  const order = [
    ...page
      .slice(page.indexOf('<table'))
      .matchAll(/<bdi>(Bee|Ay|Elsewhere|Empty one|Temperature, sensor \d)</g),
  ];
  t.same(
    order.map(([, name]) => name!.replace('Temperature, sensor ', '')),
    ['Bee', '2', 'Ay', '0', 'Elsewhere', '1', '3'],
  );
  t.notMatch(page, 'id="plan"');
  const tiles = page.slice(0, page.indexOf('<table'));
  t.same(
    [...tiles.matchAll(/<bdi>(Bee|Ay|Elsewhere|Empty one)<.*>(\d)<.span><.h3>/g)].map(
      ([, ...all]) => all,
    ),
    [
      ['Bee', '1'],
      ['Ay', '1'],
      ['Elsewhere', '2'],
    ],
    'tiles before scripts make theirs',
  );
  t.end();
});

await t.test('tiles are only of the first screens, the table is of all', (t) => {
  const page = pages.index(FakeView.of(500), NOON);
  t.equal(page.match(/<li class="tile/g)!.length, 48);
  t.equal(page.match(/<th scope="row">/g)!.length, 500);
  t.end();
});

await t.test('alarms that repeat are one line; a page of a sensor has one line in all', (t) => {
  const view = FakeView.of(1);
  for (let count = 1; count <= 5; count++) view.raise({ name: 'Door alarm', place: 'The hall' });
  const rows = (page: string): number => page.match(/<li class="alarm"/g)!.length;
  t.equal(rows(pages.index(view, NOON)), 1);
  t.match(pages.index(view, NOON), /The hall.* · 5 times, last .*now/s);
  view.raise({ name: 'Fire' });
  for (let index = 0; index < 3; index++)
    view.raise({ level: 'warning', name: `Warning ${index}` });
  t.match(pages.index(view, NOON), /<summary>2 more, 2 alarms<\/summary>/);
  const page = pages.sensor(view, view.sensors()[0]!, undefined, NOON);
  t.equal(rows(page), 1);
  t.match(page, '<a class="more" href="/">4 more, 2 alarms</a>');
  t.end();
});

await t.test('a chart shows the span that is asked for, and there are links to others', (t) => {
  const view = FakeView.of(1);
  const sensor = view.sensors()[0]!;
  const MINUTE = 60_000;
  const points = [30, 20, 10].map((ago) => [NOON - ago * MINUTE, 20, 20, 20] as const);
  const series: Series = { sensor: sensor.id, resolution: 'raw', points };
  const week = RANGES.find(({ id }) => id === 'week');
  const young = pages.sensor(view, sensor, series, NOON);
  t.match(
    young,
    /range=hour#history"\s+aria-current="true">1 hour/,
    'what there is fills the chart',
  );
  t.match(young, /M500 125L666.7 125L833.3 125h0/);
  t.match(young, /1 Mar, 11:00<.*1 Mar, 11:30<.*1 Mar, 12:00</s);
  t.match(young, /History begins at .*11:30:00/s);
  t.match(young, /20\.5.°C.*19\.5.°C/s, 'noise in the last digit does not fill it');
  const asked = pages.sensor(view, sensor, series, NOON, week);
  t.match(asked, /range=week#history"\s+aria-current="true">7 days/);
  t.match(asked, /value="week"\s+checked/);
  t.match(asked, /22 Feb 2026<.*1 Mar 2026</s);
  t.end();
});
