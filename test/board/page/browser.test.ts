/** The board in a real browser. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { setTimeout } from 'node:timers/promises';
import fc from 'fast-check';
import t from 'tap';
import type { Browser, BrowserContext, Page, Route } from 'playwright-core';
import { fakeSensor, FakeHistory, FakeView, NOON } from '../fake.js';
import { INK, launch, noBrowser, open, until } from './browser.js';
import { plantScene, type Scene } from './scene.js';
import { PageServer } from './serve.js';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const DESKTOP = { width: 1280, height: 900 };
const PHONE = { width: 390, height: 844 };
const NARROW = { width: 320, height: 700 };
/** Elements and the names of their attributes, in order, and the main heading. */
const SHAPE = `(texts) => texts.map((text) => {
  const parsed = new DOMParser().parseFromString(text, 'text/html');
  const shape = [...parsed.querySelectorAll('*')].map((each) => [each.tagName, ...each.getAttributeNames()].join(' '));
  return [shape.join(), parsed.querySelector('h1').textContent];
})`;
/** What of the plan is not wholly on its ground, and which text is not wholly on its card. */
const BEYOND = `(part, whole) => {
  const [a, b] = [part, whole].map((each) => each.getBoundingClientRect());
  return a.left < b.left || a.right > b.right || a.top < b.top || a.bottom > b.bottom;
}`;
const CUT_OFF = `[...document.querySelectorAll('.zone rect, #plan text, #plan circle')]
  .filter((each) => (${BEYOND})(each, each.closest('.ground')))
  .map((each) => each.outerHTML)`;
const OUTSIDE = `[...document.querySelectorAll('.zone text')]
  .filter((each) => (${BEYOND})(each, each.parentElement.querySelector('rect')))
  .map((each) => each.outerHTML)`;
const COUNT_SHIFTS = `
  window.shift = 0;
  new PerformanceObserver((list) => {
    for (const { value } of list.getEntries()) shift += value;
  }).observe({ type: 'layout-shift', buffered: true });
`;
const HOSTILE = [
  '<img src=x onerror="window.pwned=1">',
  '"><script>window.pwned=1</script>',
  "' onmouseover='window.pwned=1",
  '</title></style></textarea><svg onload=window.pwned=1>',
  'javascript:window.pwned=1',
  '{{7*7}}${7*7}`',
  '\u202egnp.exe\u0000\u0007\ud800',
  `${'W'.repeat(300)} end`,
];

const missing = noBrowser();
if (missing !== undefined && process.env['TIDEGATE_REQUIRE_ALL'] !== '1') {
  t.pass('the board in a browser', { skip: missing });
} else await withBrowser();

async function withBrowser(): Promise<void> {
  const browser = await launch();
  const scene = plantScene(Date.now(), 6);
  const server = await PageServer.start(scene.view, scene.history);
  t.teardown(async () => {
    await browser.close();
    server.close();
  });
  await tests(browser, server, scene);
}

/** A page of its own; what its console complains of, and where it asks, is told at the end. */
async function visit(
  test: Pick<typeof t, 'teardown'>,
  browser: Browser,
  options: Parameters<Browser['newContext']>[0] = {},
): Promise<{ page: Page; context: BrowserContext; complaints: string[] }> {
  const context = await browser.newContext({ viewport: DESKTOP, ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(20_000);
  const complaints: string[] = [];
  page.on('console', (said) => {
    // Tests read the canvas, which Chromium finds slow.
    if (/^(error|warning)$/.test(said.type()) && !said.text().startsWith('Canvas2D'))
      complaints.push(said.text());
  });
  page.on('pageerror', (error) => complaints.push(error.message));
  page.on('dialog', (dialog) => {
    complaints.push(`dialog: ${dialog.message()}`);
    void dialog.dismiss();
  });
  page.on('request', (request) => {
    if (!request.url().startsWith('http://127.0.0.1:')) complaints.push(`asks ${request.url()}`);
  });
  test.teardown(() => context.close());
  return { page, context, complaints };
}

async function tests(browser: Browser, server: PageServer, scene: Scene): Promise<void> {
  const { view, sensors } = scene;
  const boiler = `${server.origin}/sensors/${sensors[3]!.id}`;

  await t.test(
    'the page comes up, and values, sensors, alarms and relay change live',
    async (t) => {
      const { page, complaints } = await visit(t, browser);
      await open(page, server.origin);
      t.equal(await page.locator('.tile').count(), sensors.length);
      t.equal(await page.locator('table.list').isVisible(), false, 'no table beside the tiles');
      const headings = await page.locator('#tiles h3 bdi').allTextContents();
      t.same(headings, ['Hall', 'Boiler room', 'Cold store', 'Elsewhere']);
      const tile = page.locator('.tile', { hasText: 'Wind speed' });
      t.match(await tile.locator('.spark .line').getAttribute('d'), /^M0 .*L100 /);
      t.match(await page.locator('#relay').innerText(), /Live.*harbour-1.*none of 12.034 events/s);

      const wind = sensors.at(-1)!.id;
      view.read(wind, 33.36, Date.now());
      server.sendSensors(wind);
      await tile.getByText('33.4', { exact: true }).waitFor();
      t.equal(await page.locator(`#plan [data-measure="${wind}"]`).textContent(), '33.4\u00a0m/s');
      t.match(await tile.locator('time').textContent(), /now|\ds ago/);
      await until(page, `!/now|\\b[01]\\D*s ago/.test(${textOf('.tile:last-child .when')})`);

      view.show(
        fakeSensor(99, { name: 'Fresh one', zone: 'a zone of which nothing is known' }),
        7,
        Date.now(),
      );
      server.sendSensors(fakeSensor(99).id);
      await page.locator('[data-zone="-"] .tile', { hasText: 'Fresh one' }).waitFor();

      view.raise({ name: 'Fire, hall', zone: 'hall', since: Date.now(), time: Date.now() });
      server.sendAlarms();
      await page.locator('.alarm').first().getByText('Fire, hall').waitFor();
      t.equal(await page.getByRole('alert').textContent(), 'Alarm: Fire, hall', 'it is read out');
      t.equal(await page.locator('#tiles [data-zone=hall]').getAttribute('data-level'), 'alarm');
      t.equal(await page.locator('#plan [data-zone=hall]').getAttribute('data-level'), 'alarm');

      const live = view.relay();
      const since = Date.now() - 125_000;
      const silent = [{ name: 'pumps', since }];
      view.setRelay({ state: 'silent', since, expected: 100, missing: 3, silent });
      server.sendRelay();
      await until(page, `${textOf('#relay .lamp')} === 'Silent'`);
      const said = await page.locator('#relay').innerText();
      t.match(said, /nothing has come from it since \d\d:\d\d:\d\d \(2.min ago\)/);
      t.match(said, /3 of 100 events were lost/);
      t.match(said, /pumps, behind the relay, has been silent since/);
      view.setRelay(live);
      t.same(complaints, []);
    },
  );

  await t.test('a filter, and keys: / and Escape, arrows from tile to tile', async (t) => {
    const { page, complaints } = await visit(t, browser);
    await open(page, server.origin);
    await page.keyboard.press('/');
    await page.keyboard.type('boiler TEMP');
    await until(page, `document.querySelectorAll('.tile:not([hidden])').length === 1`);
    t.match(await page.locator('.found').textContent(), /^1 of \d+ sensors$/);
    t.equal(await page.locator('#tiles [data-zone=hall]').isVisible(), false);
    await page.keyboard.press('Escape');
    t.ok((await page.locator('.tile:visible').count()) > sensors.length - 1);

    const focused = 'document.activeElement.textContent';
    await page.locator('.tile a').first().focus();
    await page.keyboard.press('ArrowRight');
    t.equal(await page.evaluate(focused), 'Humidity');
    await page.keyboard.press('ArrowDown');
    const below = await page.evaluate(focused);
    t.not(below, 'Humidity');
    await page.keyboard.press('ArrowUp');
    t.equal(await page.evaluate(focused), 'Humidity');
    await page.keyboard.press('End');
    t.equal(await page.evaluate(focused), view.sensors().at(-1)!.name);
    await page.keyboard.press('Enter');
    await page.waitForSelector('#chart canvas');
    await page.keyboard.press('Escape');
    await page.waitForSelector('.tile');
    t.equal(new URL(page.url()).pathname, '/');
    t.same(complaints, []);
  });

  await t.test('Tab goes through everything in order, and the focus is seen', async (t) => {
    const { page } = await visit(t, browser);
    await open(page, server.origin);
    const walked: string[] = [];
    for (let step = 0; step < 5; step++) {
      await page.keyboard.press('Tab');
      walked.push(
        await page.evaluate(
          `document.activeElement.getAttribute('aria-label') || document.activeElement.textContent || document.activeElement.id`,
        ),
      );
      const outline = await page.evaluate(
        `(({ activeElement: it }) => getComputedStyle(it.closest('.tile') ?? it).outlineStyle)(document)`,
      );
      t.equal(outline, 'solid', walked.at(-1)!);
    }
    t.same(walked, ['Skip to the content', view.title, 'Dark theme', 'filter', 'Temperature']);
  });

  await t.test('the chart draws, follows the stream, and is gone through by keys', async (t) => {
    const { page, complaints } = await visit(t, browser);
    await open(page, boiler);
    await until(page, `${INK} > 300`);
    const before = Number(await page.evaluate(INK));
    const sums = await page.locator('#sums').innerText();
    view.read(sensors[3]!.id, 120, Date.now() + 1000);
    server.sendSensors(sensors[3]!.id);
    await page.locator('#value', { hasText: '120.0' }).waitFor();
    await until(page, `${INK} !== ${before}`);
    t.notMatch(sums, /120/);
    t.match(await page.locator('#sums').innerText(), /120\.0.°C/);

    const chart = page.getByRole('slider');
    await chart.focus();
    await page.keyboard.press('End');
    t.match(await chart.getAttribute('aria-valuetext'), /: 120\.0.°C$/);
    t.match(await page.locator('.readout').textContent(), /: 120\.0.°C$/);
    await page.keyboard.press('ArrowLeft');
    t.notMatch(await chart.getAttribute('aria-valuetext'), /120/);
    t.match(await chart.getAttribute('aria-valuetext'), /\d\d:\d\d:\d\d: [\d.]+.°C$/);
    await page.keyboard.press('Home');
    t.equal(await chart.getAttribute('aria-valuenow'), '0');

    await page.getByRole('radio', { name: '24 hours' }).focus();
    await page.keyboard.press('ArrowRight');
    t.equal(await page.getByRole('radio', { name: '7 days' }).isChecked(), true);
    await page.locator('#history-note', { hasText: 'History begins' }).waitFor();
    await until(page, `${INK} > 50`);
    await page.getByText('Values as a table').click();
    t.ok((await page.locator('.values tbody tr').count()) > 5);
    t.match(await page.locator('#csv').getAttribute('href'), /readings\.csv\?from=.*&to=/);
    t.same(complaints, []);
  });

  await t.test(
    'a history that fails is said, what is shown stays, and a value that was missed comes',
    async (t) => {
      const { page } = await visit(t, browser);
      await open(page, boiler);
      await until(page, `${INK} > 300`);
      server.history.trouble = new Error('gone');
      await page.getByRole('radio', { name: '6 hours' }).check();
      await page.locator('#history-note', { hasText: 'cannot be had' }).waitFor();
      server.history.trouble = undefined;
      t.ok(Number(await page.evaluate(INK)) > 300);

      server.goDown();
      await page.locator('#connection').waitFor();
      view.read(sensors[3]!.id, 43.21, Date.now() + 2000);
      server.comeUp();
      await page.getByText('Try now').click();
      await page.locator('#value', { hasText: '43.2' }).waitFor();
    },
  );

  await t.test('the theme follows the system until it is chosen, and is remembered', async (t) => {
    const { page } = await visit(t, browser, { colorScheme: 'dark' });
    const ground = 'getComputedStyle(document.body).backgroundColor';
    await open(page, server.origin);
    const dark = await page.evaluate(ground);
    const choice = page.getByRole('switch', { name: 'Dark theme' });
    t.equal(await choice.getAttribute('aria-checked'), 'true');
    await choice.click();
    t.equal(await choice.getAttribute('aria-checked'), 'false');
    t.not(await page.evaluate(ground), dark);
    await page.reload();
    t.not(await page.evaluate(ground), dark, 'before any module has run');
  });

  await t.test('axe finds nothing serious, in both themes, on desktop and phone', async (t) => {
    const { page } = await visit(t, browser, { reducedMotion: 'reduce' });
    for (const url of [server.origin, boiler]) {
      await open(page, url);
      await page.evaluate(AXE);
      for (const colorScheme of ['light', 'dark'] as const)
        for (const size of [DESKTOP, PHONE]) {
          await page.setViewportSize(size);
          await page.emulateMedia({ colorScheme });
          const found = await page.evaluate<string[]>(
            `axe.run({ resultTypes: ['violations'] }).then(({ violations }) => violations.map((each) => each.impact + ' ' + each.id + ' ' + each.nodes.map(({ target }) => target).join()))`,
          );
          t.same(found, [], `${url} ${colorScheme} ${size.width}`);
        }
    }
  });

  await t.test('nothing is wider than a small phone', async (t) => {
    const { page } = await visit(t, browser, { viewport: NARROW });
    for (const url of [server.origin, boiler, `${server.origin}/none`]) {
      await page.goto(url);
      if (!url.endsWith('none')) await page.waitForSelector('html[data-ready]');
      t.equal(await page.evaluate('document.documentElement.scrollWidth'), NARROW.width, url);
    }
  });

  await t.test('a page that comes up does not move under the reader', async (t) => {
    const { page } = await visit(t, browser, { viewport: PHONE });
    await page.addInitScript(COUNT_SHIFTS);
    // It is painted before any module runs, and again before the API has answered.
    const late = async (route: Route): Promise<void> => {
      await setTimeout(250);
      await route.continue();
    };
    await page.route('**/page.js', late);
    await page.route('**/api/v1/sensors', late);
    await page.route('**/series?*', late);
    for (const url of [server.origin, boiler]) {
      await open(page, url);
      await page.waitForTimeout(500);
      const shift = Number(await page.evaluate('shift'));
      t.ok(shift < 0.05, `${url}: ${shift}`);
    }
  });

  await t.test('the first alarm, and one that repeats, move nothing', async (t) => {
    const calm = FakeView.of(4);
    const other = await PageServer.start(calm, new FakeHistory());
    t.teardown(() => other.close());
    for (const viewport of [PHONE, DESKTOP]) {
      calm.setAlarms([]);
      const { page } = await visit(t, browser, { viewport });
      await open(page, other.origin);
      await until(page, `document.querySelector('#connection').hidden`);
      const top = async (): Promise<number> => (await page.locator('#relay').boundingBox())!.y;
      const before = await top();
      for (let count = 1; count < 4; count++) {
        calm.raise({ name: 'Door alarm', since: Date.now(), time: Date.now() });
        other.sendAlarms();
        const words = count > 1 ? `${count} times, last` : 'now';
        await page.locator('.alarm', { hasText: words }).waitFor();
        t.equal(await page.locator('.alarm').count(), 1);
        t.equal(await top(), before, `${viewport.width} px, alarm ${count}`);
      }
    }
  });

  await t.test('only a value that stood for a while lights up', async (t) => {
    const { page } = await visit(t, browser);
    await page.clock.install();
    await open(page, server.origin);
    await until(page, `document.querySelector('#connection').hidden`);
    const wind = sensors.at(-1)!.id;
    const tile = page.locator('.tile', { hasText: 'Wind speed' });
    const lit = `document.getAnimations().filter(({ effect }) => effect.target.matches('.value')).length`;
    const change = async (value: number): Promise<void> => {
      view.read(wind, value, Date.now());
      server.sendSensors(wind);
      await tile.getByText(String(value), { exact: true }).waitFor();
    };
    await page.clock.fastForward(6000);
    await change(41.5);
    t.equal(await page.evaluate(lit), 1);
    await page.evaluate(`document.getAnimations().forEach((each) => each.cancel())`);
    await change(42.5);
    t.equal(await page.evaluate(lit), 0, 'it changed just before');
  });

  await t.test('a long name has two lines, and values beside it stay in line', async (t) => {
    const long = new FakeView();
    long.show(fakeSensor(0, { name: 'Temperature' }), 1);
    long.show(fakeSensor(1, { name: 'Temperature, sensor 12, far away' }), 1);
    const other = await PageServer.start(long, new FakeHistory());
    t.teardown(() => other.close());
    const { page } = await visit(t, browser, { viewport: PHONE });
    await open(page, other.origin);
    const links = page.locator('.tile h4 a');
    const [one, two] = await Promise.all([0, 1].map((each) => links.nth(each).boundingBox()));
    t.ok(two!.height > 1.8 * one!.height);
    const values = page.locator('.tile .value');
    const [left, right] = await Promise.all([0, 1].map((each) => values.nth(each).boundingBox()));
    t.equal(left!.y, right!.y);
  });

  await t.test('the plan cuts nothing off, wherever it is and however narrow', async (t) => {
    const corners = [0, 18, 50, 82, 99, 100].flatMap((x) => [0, 50, 99].map((y) => ({ x, y })));
    const planned = new FakeView();
    planned.zones = corners.map((position, index) => ({
      id: `z${index}`,
      name: `A zone of a long name ${index}`,
      position,
    }));
    corners.forEach((position, index) => {
      const more = { zone: `z${index}`, name: `A sensor of a long name ${index}` };
      planned.show(fakeSensor(3 * index, more), 1234.5);
      planned.show(fakeSensor(3 * index + 1, { ...more, unit: 'km/h' }), -12_345.6);
      planned.show(fakeSensor(3 * index + 2, { ...more, position }), 1234.5);
    });
    const other = await PageServer.start(planned, new FakeHistory());
    t.teardown(() => other.close());
    const { page } = await visit(t, browser);
    await open(page, other.origin);
    for (const size of [NARROW, PHONE, DESKTOP]) {
      await page.setViewportSize(size);
      t.same(await page.evaluate(CUT_OFF), [], `at ${size.width} px`);
      t.same(await page.evaluate(OUTSIDE), [], `texts and their cards at ${size.width} px`);
    }
  });

  await t.test('without JavaScript there are tables, alarms and a drawn history', async (t) => {
    const { page, complaints } = await visit(t, browser, { javaScriptEnabled: false });
    await page.goto(server.origin);
    t.equal(
      await page.locator('table.list tbody th[scope=row]:visible').count(),
      view.sensors().length,
    );
    t.ok(await page.locator('.alarm').first().isVisible());
    t.equal(await page.locator('#filter').count(), 0);
    await page.getByRole('link', { name: 'Wind speed' }).first().click();
    t.equal(await page.locator('h1').textContent(), 'Wind speed');
    t.ok(await page.locator('.static-chart svg').isVisible());
    t.equal(await page.getByRole('radio').count(), 0, 'nothing that does nothing');
    const week = page.getByRole('link', { name: '7 days' });
    await week.click();
    t.equal(await week.getAttribute('aria-current'), 'true');
    await page.getByText('Values as a table').click();
    t.ok(await page.locator('.values tbody tr').first().isVisible());
    t.same(complaints, []);
  });

  await t.test('if modules or the API fail, the table is there', async (t) => {
    const { page } = await visit(t, browser);
    await page.route('**/api/**', (route) => route.abort());
    await page.goto(server.origin);
    await page.locator('table.list').waitFor();
    t.match(await page.locator('#connection').innerText(), /Not connected to the board since/);
    await page.unroute('**/api/**');
    await page.getByText('Try now').click();
    await page.locator('.tile').first().waitFor();
    t.equal(await page.locator('table.list').isVisible(), false);

    const { page: other } = await visit(t, browser);
    await other.clock.install();
    await other.route('**/page.js', (route) => route.abort());
    await other.goto(server.origin);
    await other.clock.fastForward(10_000);
    await other.locator('table.list').waitFor();
  });

  await t.test(
    'a stream that breaks is said, and goes on by itself with what was missed',
    async (t) => {
      const { page } = await visit(t, browser);
      await open(page, server.origin);
      await until(page, `document.querySelector('#connection').hidden`);
      server.goDown();
      await page.locator('#connection').waitFor();
      const said = await page.locator('#connection p').innerText();
      t.match(said, /^Not connected to the board since \d\d:\d\d:\d\d; (next try in \d+|trying)/);
      t.equal(await page.locator('#said').textContent(), 'The connection to the board is lost.');
      t.equal(await page.locator('#relay .lamp').textContent(), 'Unknown', 'no longer live');
      // At least one try in vain.
      const tries = server.paths.length;
      while (server.paths.length < tries + 1) await page.waitForTimeout(100);
      view.read(sensors[0]!.id, -77.7, Date.now());
      server.comeUp();
      await page.locator('#connection').waitFor({ state: 'hidden' });
      await page.locator('.tile .value', { hasText: '−77.7' }).waitFor();
      t.equal(await page.locator('#said').textContent(), 'Connected again.');
      t.equal(await page.locator('#relay .lamp').textContent(), 'Live');
      view.read(sensors[0]!.id, 88.8, Date.now());
      server.sendSensors(sensors[0]!.id);
      await page.locator('.tile .value', { hasText: '88.8' }).waitFor();

      server.goDown();
      await page.locator('#connection').waitFor();
      const young = new FakeView();
      young.show(sensors[0]!, 11.1, NOON);
      server.view = young;
      server.comeUp();
      await page.getByText('Try now').click();
      await page.locator('.tile .value', { hasText: '11.1' }).waitFor();
      t.equal(await page.locator('.tile').count(), 1, 'a board that began anew is believed');
      server.view = view;
    },
  );

  await t.test('a stream that hangs is found out', async (t) => {
    const { page } = await visit(t, browser);
    await page.clock.install();
    await open(page, server.origin);
    await until(page, `document.querySelector('#connection').hidden`);
    const asked = server.paths.length;
    await page.clock.fastForward(50_000);
    while (server.paths.length === asked) await page.waitForTimeout(50);
    t.equal(await page.locator('#connection').isVisible(), false, 'a board that answers is there');
    await page.route('**/api/**', (route) => route.abort());
    await page.clock.fastForward(50_000);
    await page.locator('#connection').waitFor();
  });

  await t.test('hostile names are text, in HTML, from the API and from the stream', async (t) => {
    const hostile = new FakeView();
    hostile.title = HOSTILE[0]!;
    hostile.zones = HOSTILE.map((name, index) => ({
      id: index % 2 > 0 ? name : `z${index}`,
      name,
      position: { x: 10 * index, y: 5 * index },
    }));
    const more = HOSTILE.map((name, index) => ({
      name,
      place: name,
      zone: hostile.zones[index]!.id,
      quantity: name,
      unit: name,
    }));
    more.forEach((each, index) => hostile.show(fakeSensor(index, each), Number.NaN, 9e15));
    hostile.show(
      fakeSensor(50, { ...more[0], position: { x: 1e9, y: -5 }, decimals: 1e9 }),
      -1e300,
    );
    for (const name of HOSTILE) hostile.raise({ name, place: name, zone: name });
    hostile.setRelay({
      state: 'live',
      name: HOSTILE[1]!,
      silent: [{ name: HOSTILE[0]!, since: 1 }],
    });
    const other = await PageServer.start(hostile, new FakeHistory());
    t.teardown(() => other.close());
    const { page, complaints } = await visit(t, browser, { viewport: NARROW });
    await page.goto(other.origin);
    await page.waitForSelector('html[data-ready]');
    t.equal(await page.title(), HOSTILE[0]);
    t.equal(await page.locator('.tile').count(), HOSTILE.length + 1);
    hostile.show(fakeSensor(77, more[1]), 5);
    other.sendSensors();
    other.sendAlarms();
    other.sendRelay();
    await page
      .locator('.tile')
      .nth(HOSTILE.length + 1)
      .waitFor();
    const wide = 'document.documentElement.scrollWidth';
    t.equal(await page.evaluate(wide), NARROW.width);
    for (const index of [0, 7]) {
      await open(page, `${other.origin}/sensors/${fakeSensor(index).id}`);
      t.equal(await page.locator('h1').textContent(), HOSTILE[index]);
      t.equal(await page.evaluate(wide), NARROW.width);
    }
    const foreign = `document.querySelectorAll('main img, main script, [onerror], [onload], [onmouseover], [style*=pwned]').length`;
    t.equal(await page.evaluate(foreign), 0);
    t.equal(await page.evaluate('window.pwned'), undefined);
    t.same(complaints, []);
  });

  await t.test('no name changes the structure of a page', async (t) => {
    const { page } = await visit(t, browser);
    const pagesOf = (name: string): [string, string] => {
      const named = new FakeView();
      named.title = name;
      named.zones = [{ id: name, name, position: { x: 1, y: 1 } }];
      const more = { name, place: name, zone: name, quantity: name, unit: name, guid: name };
      named.show(fakeSensor(0, { ...more, position: { x: 2, y: 2 } }), 1, NOON);
      const sensor = named.show(fakeSensor(1, { ...more, id: `${name}%/..` }), 1, NOON);
      named.raise({ name, place: name, zone: name, count: 2 });
      named.setRelay({ state: 'silent', name, silent: [{ name, since: NOON }] });
      const points = [[NOON, 1, 1, 1] as const, [NOON + 1, 2, 1, 3] as const];
      const series = { sensor: name, resolution: 'raw', points } as const;
      const { pages } = server;
      return [pages.index(named, NOON), pages.sensor(named, sensor, series, NOON)];
    };
    const parse = (texts: readonly string[]): Promise<[shape: string, heading: string][]> =>
      page.evaluate(`(${SHAPE})(${JSON.stringify(texts)})`);
    const plain = await parse(pagesOf('x'));
    const name = fc.oneof(
      fc.string({ unit: 'binary', minLength: 1 }),
      fc.string({ unit: fc.constantFrom(...Array.from('<>&"\'=/!-x \n\0\ud800`')), minLength: 1 }),
      fc.constantFrom(...HOSTILE),
    );
    await fc.assert(
      fc.asyncProperty(name, async (text) => {
        const parsed = await parse(pagesOf(text));
        const printable = /^[\t\n\x20-\x7e\xa0-\ud7ff]*$/.test(text);
        if (printable && parsed[1]![1] !== text) throw new Error(`it became ${parsed[1]![1]}`);
        if (parsed.some(([shape], index) => shape !== plain[index]![0])) throw new Error('shape');
      }),
      { numRuns: 80 },
    );
  });

  await t.test('two thousand sensors come up, are filtered, and change', async (t) => {
    const many = new FakeView();
    many.zones = Array.from({ length: 40 }, (_, index) => ({
      id: `z${index}`,
      name: `Zone ${index}`,
    }));
    for (let index = 0; index < 2000; index++)
      many.show(fakeSensor(index, { zone: `z${index % 40}` }), index, Date.now());
    for (const { id } of many.sensors()) many.read(id, 1, Date.now());
    const other = await PageServer.start(many, new FakeHistory());
    t.teardown(() => other.close());
    const { page, complaints } = await visit(t, browser);
    await open(page, other.origin);
    t.equal(await page.locator('.tile').count(), 2000);
    await page.locator('#filter').fill('sensor 1234');
    await until(page, `document.querySelectorAll('.tile:not([hidden])').length === 1`);
    for (const { id } of many.sensors()) many.read(id, 5678, Date.now());
    other.sendSensors();
    await page.locator('.tile:visible .value', { hasText: '5' }).waitFor();
    await page.locator('#filter').fill('no such thing');
    await until(page, `${textOf('.found')} === '0 of 2000 sensors'`);
    t.same(complaints, []);
  });

  await t.test('a board without sensors, zones or a relay says so', async (t) => {
    const other = await PageServer.start(new FakeView(), new FakeHistory());
    t.teardown(() => other.close());
    const { page, complaints } = await visit(t, browser);
    await open(page, other.origin);
    t.ok(await page.getByText('No sensor has sent anything yet.').isVisible());
    t.ok(await page.getByText('No relay has connected since the board began').isVisible());
    t.equal(await page.locator('#plan').count(), 0);
    other.view.show(fakeSensor(1), 3);
    other.sendSensors();
    await page.locator('.tile').waitFor();
    t.equal(await page.getByText('No sensor has sent anything yet.').isVisible(), false);
    t.same(complaints, []);
  });
}

/** Of the page, as an expression. */
function textOf(selector: string): string {
  return `document.querySelector(${JSON.stringify(selector)}).textContent`;
}
