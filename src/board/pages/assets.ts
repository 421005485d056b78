/** What pages load: the compiled modules of src/page, styles, uPlot and the icon. */
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export interface Asset {
  readonly type: string;
  readonly bytes: Buffer;
}

export interface Assets {
  readonly files: ReadonlyMap<string, Asset>;
  /** The path of one, by its file's name. */
  path(name: string): string;
}

const TYPES: Readonly<Record<string, string>> = {
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
};

const ICON = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32">
<rect width="32" height="32" rx="7" fill="#0b6a86"/>
<path d="M6 20c3.3-3.4 6.7-3.4 10 0s6.7 3.4 10 0" fill="none" stroke="#fff" stroke-width="2.6"
stroke-linecap="round"/><path d="M16 14V6m-3.6 3.4L16 5.8l3.6 3.6" fill="none" stroke="#9fe0f2"
stroke-width="2.6" stroke-linecap="round" stroke-linejoin="round"/></svg>
`;

/**
 * All below one directory that is named by a hash of them all: modules import each other by name,
 * and a page never gets modules of two versions.
 *
 * @throws if the page has not been built
 */
export function loadAssets(): Assets {
  const files = new Map<string, Buffer>([['icon.svg', Buffer.from(ICON)]]);
  const page = pageDirectory();
  for (const name of readdirSync(page).sort())
    if (/^[\w-]+\.(js|css)$/.test(name)) files.set(name, readFileSync(join(page, name)));
  const uplot = dirname(fileURLToPath(import.meta.resolve('uplot')));
  for (const name of ['uPlot.esm.js', 'uPlot.min.css'])
    files.set(name, readFileSync(join(uplot, name)));
  const hash = createHash('sha256');
  for (const [name, bytes] of files) hash.update(`${name}\0${bytes.length}\0`).update(bytes);
  const directory = `/assets/${hash.digest('hex').slice(0, 16)}`;
  const path = (name: string): string => `${directory}/${name}`;
  const named = [...files].map(
    ([name, bytes]) => [path(name), { type: TYPES[extname(name)]!, bytes }] as const,
  );
  return { files: new Map(named), path };
}

/** Beside dist/board/pages; of src/board/pages, which tests run, it is in dist as well. */
function pageDirectory(): string {
  for (const near of ['../../page/', '../../../dist/page/']) {
    const directory = fileURLToPath(new URL(near, import.meta.url));
    if (existsSync(join(directory, 'page.js'))) return directory;
  }
  throw new Error('the page of the board is not built: npm run build');
}
