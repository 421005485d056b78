/** The thread of a board that writes its history: so that a disk that is slow holds up nobody. */
import { parentPort, workerData } from 'node:worker_threads';
import type { Batch } from './batch.js';
import type { ThreadData, WriteOrder, WriteReport } from './orders.js';
import { isDamage } from './schema.js';
import { addSums, noSums, Store } from './store.js';

/** ms that it forgets without looking at what has come. */
const TIDY = 20;
/** ms between two such times: while there is more to do, and when there was not. */
const AGAIN = 20;
const IDLE = 1000;
/** The same while one batch comes after the other. */
const LEAST_OFTEN = 100;

const port = parentPort!;
const { directory, limits, time } = workerData as ThreadData;
let store: Store | undefined;
let tidying: NodeJS.Timeout | undefined;
let tidied = -Infinity;

const now = (): number => Number(Atomics.load(time, 0));
const report = (message: WriteReport): void => port.postMessage(message);

/**
 * Begins a new database instead of a damaged one.
 *
 * @returns why there was anything wrong
 * @throws Error if there can be none: the thread ends, and is started anew
 */
function mend(error: unknown): string {
  const why = error as Error;
  if (!isDamage(error)) return why.message;
  store = store!.reopen(directory, why);
  report({ kind: 'anew', trouble: store.begunAnew! });
  return store.begunAnew!;
}

function add(batch: Batch): void {
  const sums = noSums();
  let trouble: string | undefined;
  try {
    store!.add(batch, now(), sums);
  } catch (error) {
    trouble = mend(error);
  }
  addSums(sums, { ...noSums(), dropped: batch.texts.length - sums.kept });
  report({ kind: 'done', sums, trouble });
  // While batches wait, no timer comes to its turn.
  if (performance.now() - tidied > LEAST_OFTEN) tidy();
}

function tidy(): void {
  let more = false;
  clearTimeout(tidying);
  try {
    more = store!.tidy(now(), TIDY);
  } catch (error) {
    // What can be done about a full disk is done when events come; so is telling of it.
    if (isDamage(error)) mend(error);
  }
  tidied = performance.now();
  tidying = setTimeout(tidy, more ? AGAIN : IDLE);
}

function close(): void {
  clearTimeout(tidying);
  try {
    store!.close();
  } finally {
    port.close();
  }
}

try {
  store = Store.open(directory, limits);
  report({ kind: 'open', trouble: store.begunAnew });
  tidy();
  port.on('message', (order: WriteOrder) => ('batch' in order ? add(order.batch) : close()));
} catch (error) {
  report({ kind: 'failed', trouble: (error as Error).message });
  port.close();
}
