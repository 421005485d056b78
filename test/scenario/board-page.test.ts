import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { launch, noBrowser, open, until } from '../board/page/browser.js';
import { FakeLower } from '../fake/lower.js';
import { startBoard } from './board.js';
import { startRelay } from './relay.js';

const GUID = 'FF:FF:FF:FF:FF:FF:FF:FE:B8:27:EB:10:01:02:00:0A';
const NAMES = `schema: tidegate-names/v1
title: The harbour
sensors:
  - match: { class: CLASS1.MEASUREMENT, type: TEMPERATURE }
    name: Water <b>temperature</b>
    place: Pier 3
`;

const missing = noBrowser();
const skip = missing !== undefined && process.env['TIDEGATE_REQUIRE_ALL'] !== '1' ? missing : false;

await t.test(
  'a browser sees what a plant says, and that the relay is gone',
  { skip },
  async (t) => {
    const lower = await FakeLower.start({ kind: 'vscpd-15' });
    t.teardown(() => lower.close());
    const board = await startBoard(t, { names: NAMES });
    const relay = await startRelay(t, {
      lowers: [{ name: 'plant', port: lower.port }],
      uppers: [{ name: 'board', port: board.linkPort, window: 50 }],
      beacon: '1s',
    });
    await lower.untilLoop();
    const say = (tenths: number): void => {
      const time = new Date().toISOString().slice(0, 19);
      const [high, low] = [tenths >> 8, tenths & 255];
      lower.send(`96,10,6,3,${time}Z,${tenths},${GUID},0x8A,0x81,${high},${low}`);
    };
    say(123);
    const browser = await launch();
    t.teardown(() => browser.close());
    const page = await browser.newPage();
    const complaints: string[] = [];
    page.on('console', (said) => {
      if (/^(error|warning)$/.test(said.type())) complaints.push(said.text());
    });
    page.on('pageerror', (error) => complaints.push(error.message));
    page.on('request', (request) => {
      if (!request.url().startsWith(board.address)) complaints.push(request.url());
    });
    await open(page, `${board.address}/`);
    const shows = (text: string): string =>
      `document.body.innerText.includes(${JSON.stringify(text)})`;
    await until(page, shows('12.3'));
    t.match(await page.textContent('main'), 'Water <b>temperature</b>');
    say(456);
    await until(page, shows('45.6'));
    lower.send(`0,1,2,3,,0,${GUID},0,3,4`);
    await until(page, shows('Alarm'));
    await until(page, `/none of [\\d\\s]+ events?/.test(document.body.innerText)`);
    t.same(complaints, []);
    await relay.stop();
    await until(page, `/not connected|away/i.test(document.body.innerText)`);
    t.same(complaints, []);

    const file = join(board.directory, 'board.yaml');
    writeFileSync(file, `${NAMES}    unit: fahrenheight\n`);
    await board.until(
      () => Promise.resolve(board.log.includes('"event":"names"')),
      'it is refused',
    );
    t.match(board.log, /board\.yaml:7:11: .*unknown unit 'fahrenheight'; did you mean/);
    const reloaded = page.waitForEvent('load');
    writeFileSync(file, NAMES.replace('Pier 3', 'Pier 4').replace('harbour', 'north harbour'));
    await reloaded;
    await until(page, shows('Pier 4'));
    await until(page, shows('The north harbour'));
    t.match(await page.textContent('main'), '45.6', 'with what was known');
    t.same(complaints, []);
  },
);
