/**
 * Pictures of the board for the README.
 *
 * `node --import=./test/typescript.js test/board/page/screenshot.ts [DIRECTORY] [all]`
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Browser } from 'playwright-core';
import { launch } from './browser.js';
import { plantScene } from './scene.js';
import { PageServer } from './serve.js';

type Theme = 'light' | 'dark';
type Size = readonly [width: number, height: number];

async function picture(
  browser: Browser,
  url: string,
  file: string,
  [width, height]: Size,
  colorScheme: Theme,
  javaScriptEnabled = true,
): Promise<void> {
  const context = await browser.newContext({
    viewport: { width, height },
    colorScheme,
    javaScriptEnabled,
  });
  const page = await context.newPage();
  page.on('console', (said) => console.log(`${file}: ${said.text()}`));
  page.on('pageerror', (error) => console.log(`${file}: ${error.message}`));
  await page.goto(url);
  if (javaScriptEnabled) await page.waitForSelector('html[data-ready]');
  await sleep(300);
  await page.screenshot({ path: file, fullPage: process.argv.includes('full') });
  await context.close();
}

const now = Date.now();
const { view, history, sensors } = plantScene(now);
const server = await PageServer.start(view, history);
const browser = await launch();
const directory = process.argv[2] ?? 'deploy';
mkdirSync(directory, { recursive: true });
const DESKTOP = [1280, 900] as const;
const PHONE = [390, 844] as const;
const detail = `${server.origin}/sensors/${sensors[3]!.id}`;
const file = (name: string): string => join(directory, `board-${name}.png`);
try {
  await picture(browser, server.origin, file('desktop'), DESKTOP, 'light');
  await picture(browser, server.origin, file('phone'), PHONE, 'dark');
  if (process.argv.includes('all')) {
    await picture(browser, server.origin, file('desktop-dark'), DESKTOP, 'dark');
    await picture(browser, server.origin, file('phone-light'), PHONE, 'light');
    await picture(browser, server.origin, file('narrow'), [320, 700], 'light');
    await picture(browser, detail, file('detail'), DESKTOP, 'light');
    await picture(browser, detail, file('detail-dark'), DESKTOP, 'dark');
    await picture(browser, detail, file('detail-phone'), PHONE, 'light');
    await picture(browser, detail, file('detail-narrow'), [320, 700], 'dark');
    await picture(browser, server.origin, file('plain'), DESKTOP, 'light', false);
    await picture(browser, detail, file('detail-plain'), PHONE, 'light', false);
    await picture(browser, `${server.origin}/nothing`, file('lost'), PHONE, 'light', false);
  }
} finally {
  await browser.close();
  server.close();
}
