/** Runs in place of a process's own main program: its clock is ahead by what a file says, ms. */
import { readFileSync } from 'node:fs';

const OFFSET = new URL('../offset', import.meta.url);
const LOOK_EVERY = 20;

let ahead = 0;
let looked = -Infinity;
const machine = Date.now.bind(Date);

/** The machine's time, with what the file says on top; of a torn file, what it said before. */
Date.now = (): number => {
  const elapsed = performance.now();
  if (elapsed - looked >= LOOK_EVERY) {
    looked = elapsed;
    const found = Number(readFileSync(OFFSET, 'latin1').trim() || NaN);
    if (Number.isFinite(found)) ahead = found;
  }
  return machine() + ahead;
};

await import(new URL('./honest.js', import.meta.url).href);
