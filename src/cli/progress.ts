/** How far a long work is, on a terminal. */

/** ms between two pictures. */
const PACE = 100;
const WIDTH = 30;

/**
 * Says on a terminal how far it is, if it takes long.
 *
 * @param words what is done, of how much
 */
export function showProgress(
  words: (done: number, total: number) => string,
): (done: number, total: number) => void {
  const begun = Date.now();
  let next = begun + PACE;
  return (done, total) => {
    const now = Date.now();
    if (!process.stderr.isTTY || now < next || total === 0) return;
    next = now + PACE;
    const part = done / total;
    const bar = '#'.repeat(Math.floor(part * WIDTH)).padEnd(WIDTH, '.');
    const left = Math.ceil(((now - begun) * (1 - part)) / Math.max(part, 1e-6) / 1000);
    const text = `${Math.floor(part * 100)} %  ${words(done, total)}, ${left} s left`;
    process.stderr.write(`\r\x1b[K[${bar}] ${text}`);
  };
}
