/** The headless Chromium of Debian, and what tests ask a page. */
import { existsSync } from 'node:fs';
import { chromium, type Browser, type Page } from 'playwright-core';

const BINARY = process.env['TIDEGATE_CHROMIUM'] ?? '/usr/bin/chromium';

/** Why there is no browser; undefined: there is one. */
export function noBrowser(): string | undefined {
  return existsSync(BINARY) ? undefined : `no ${BINARY}: apt-get install chromium`;
}

export async function launch(): Promise<Browser> {
  const root = process.getuid?.() === 0;
  return chromium.launch({
    executablePath: BINARY,
    args: [...(root ? ['--no-sandbox'] : []), '--disable-dev-shm-usage'],
  });
}

/** Once its script shows what the API says. */
export async function open(page: Page, url: string): Promise<void> {
  await page.goto(url);
  await page.waitForSelector('html[data-ready]');
}

/**
 * Until an expression of the page is true; polled from here: a string is no function, which the
 * page's policy would forbid it to make.
 */
export async function until(page: Page, expression: string, patience = 60_000): Promise<void> {
  const end = Date.now() + patience;
  while (!(await page.evaluate(expression))) {
    if (Date.now() > end) throw new Error(`it never came true: ${expression}`);
    await page.waitForTimeout(50);
  }
}

/** Pixels of the chart in the colour of its line, or near it. */
export const INK = `(() => {
  const canvas = document.querySelector('#chart canvas');
  if (!canvas) return 0;
  const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
  const probe = document.createElement('i');
  probe.style.color = 'var(--accent)';
  document.body.append(probe);
  const [r, g, b] = getComputedStyle(probe).color.match(/\\d+/g).map(Number);
  probe.remove();
  let ink = 0;
  for (let i = 0; i < data.length; i += 4)
    if (data[i + 3] > 200 && Math.abs(data[i] - r) + Math.abs(data[i + 1] - g) + Math.abs(data[i + 2] - b) < 24) ink++;
  return ink;
})()`;
