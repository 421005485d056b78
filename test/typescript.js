/**
 * Loads .ts files where tests import .js ones, in the place of tap's own loader: each file is
 * translated once, and kept in node_modules/.cache. Types are not looked at: `npm run check` does that.
 *
 * `node --import=./test/typescript.js FILE` loads so; `node test/typescript.js` translates the tree.
 */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { renameSync, rmSync, writeFileSync } from 'node:fs';
import { register } from 'node:module';
import { join } from 'node:path';
import process from 'node:process';
import { fileURLToPath, URL } from 'node:url';
import { isMainThread } from 'node:worker_threads';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const CACHE = join(ROOT, 'node_modules/.cache/tidegate-tests');

// Node runs hooks in a thread of their own, in which this file is loaded once more.
if (isMainThread) {
  if (process.argv[1] === fileURLToPath(import.meta.url)) await translateTree();
  else register(import.meta.url);
}

/** A .js that is imported by its path, and has a .ts in its place. */
export function resolve(specifier, context, next) {
  if (/^(\.\.?\/|file:).*\.js$/.test(specifier)) {
    const { href } = new URL(specifier.replace(/\.js$/, '.ts'), context.parentURL);
    if (existsSync(fileURLToPath(href))) return { url: href, format: 'module', shortCircuit: true };
  }
  return next(specifier, context);
}

export async function load(url, context, next) {
  if (!/^file:.*\.ts$/.test(url)) return next(url, context);
  const { text, kept } = look(fileURLToPath(url));
  const source = existsSync(kept) ? readFileSync(kept, 'utf8') : await translate(url, text, kept);
  return { format: 'module', source, shortCircuit: true };
}

function look(file) {
  const text = readFileSync(file, 'utf8');
  // The source map names the file.
  const digest = createHash('sha256').update(`${file}\n${text}`).digest('hex');
  return { text, kept: join(CACHE, `${digest}.js`) };
}

async function translate(url, text, kept) {
  const { default: ts } = await import('typescript');
  const target = { target: ts.ScriptTarget.ES2023, module: ts.ModuleKind.ESNext };
  const compilerOptions = { ...target, verbatimModuleSyntax: true, inlineSourceMap: true };
  const { outputText } = ts.transpileModule(text, { fileName: url, compilerOptions });
  mkdirSync(CACHE, { recursive: true });
  // Several processes may do so at the same time.
  writeFileSync(`${kept}.${process.pid}`, outputText);
  renameSync(`${kept}.${process.pid}`, kept);
  return outputText;
}

/** Before many processes want it; what no file of the tree is translated to is thrown away. */
async function translateTree() {
  const before = existsSync(CACHE) ? readdirSync(CACHE) : [];
  const known = new Set();
  for (const folder of ['src', 'test']) {
    for (const name of readdirSync(join(ROOT, folder), { recursive: true })) {
      if (!name.endsWith('.ts') || name.endsWith('.d.ts')) continue;
      const file = join(ROOT, folder, name);
      const { text, kept } = look(file);
      known.add(kept);
      if (!existsSync(kept)) await translate(`file://${file}`, text, kept);
    }
  }
  for (const name of before) if (!known.has(join(CACHE, name))) rmSync(join(CACHE, name));
}
