import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { FakeLower } from '../fake/lower.js';
import { FakeUpper } from '../fake/upper.js';
import { numberedEvents, numberOf, startRelay } from './relay.js';

const COUNT = 200;
/** A run, neighbours, the first, the last, and one far from all. */
const REFUSED = [1, 2, 50, 51, 52, 53, 120, 200];
const WORDS = 'Invalid \x1b[31mparameter\x07 \xe9 {"sequence":7}';

interface Reject {
  readonly sequence: number;
  readonly class: number;
  readonly type: number;
  readonly answer: string;
}

function readRejects(directory: string): { readonly text: string; readonly rejects: Reject[] } {
  const text = readdirSync(directory)
    .filter((name) => name.startsWith('rejects.'))
    .map((name) => readFileSync(join(directory, name), 'latin1'))
    .join('');
  const lines = text.split('\n').filter((line) => line !== '');
  return { text, rejects: lines.map((line) => JSON.parse(line) as Reject) };
}

type Manner = (n: number) => 0 | 1 | 2;
const single: Manner = (n) => (REFUSED.includes(n) ? 1 : 0);
const double: Manner = (n) => (REFUSED.includes(n) ? 2 : 0);
/** In a window, places of these cannot be told from the answers alone. */
const mixed: Manner = (n) => (!REFUSED.includes(n) ? 0 : n % 2 === 0 ? 2 : 1);

for (const [window, manner, noop] of [
  [1, single, 'ok'],
  [1, double, 'ok'],
  [1, mixed, 'refused'],
  [50, single, 'ok'],
  [50, double, 'ok'],
  [50, mixed, 'ok'],
  [50, mixed, 'refused'],
] as const) {
  const name = `window ${window}, ${manner.name} -OK, NOOP ${noop}`;
  await t.test(`${name}: refusals are counted and recorded, the rest arrives`, async (t) => {
    const lower = await FakeLower.start({ kind: 'vscpd-15' });
    t.teardown(() => lower.close());
    const upper = await FakeUpper.start({
      window: window === 1 ? 'one-per-segment' : 'all',
      refuse: (event) => manner(numberOf(event)),
      refusal: WORDS,
      noop,
    });
    t.teardown(() => upper.close());
    const relay = await startRelay(t, {
      lowers: [{ name: 'plant', port: lower.port }],
      uppers: [{ name: 'portal', port: upper.port, window }],
    });
    await lower.untilLoop();
    lower.send(numberedEvents(1, COUNT));
    await relay.until(
      () => relay.upper('portal')?.lanes.routine.sequence === COUNT,
      'all are settled',
    );

    const status = relay.upper('portal')!;
    t.equal(status.refused, REFUSED.length);
    t.equal(status.answered, COUNT - REFUSED.length);
    t.equal(status.stray, 0);
    const accepted = new Set(upper.accepted.map(numberOf));
    t.equal(accepted.size, COUNT - REFUSED.length, 'all the others were accepted');
    if (window === 1) t.equal(upper.sends.length, COUNT, 'and nothing was sent twice');
    t.equal(upper.connections.length, 1, 'over one connection');

    const { text, rejects } = readRejects(join(relay.state, 'upper', 'portal'));
    t.strictSame(
      rejects.map(({ sequence }) => sequence),
      REFUSED,
    );
    t.match(text, /^[\x20-\x7e\n]+$/, 'no byte of the server reaches a terminal');
    for (const { answer, ...rest } of rejects) {
      t.equal(answer, '-OK - Invalid \\x1b[31mparameter\\x07 \\xe9 {"sequence":7}');
      t.equal(rest.class, 10);
      t.equal(rest.type, 6);
    }
    await relay.until(
      () => relay.gate()?.channels[0]?.journalled === COUNT,
      'journalled = answered + refused + pending',
    );
    t.equal(await relay.stop(), 0);
  });
}
