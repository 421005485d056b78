/** A link that cannot come up, try after try: few lines in the log, and the right counts in them. */
import t from 'tap';
import { FakeLower } from '../fake/lower.js';
import { FakeUpper } from '../fake/upper.js';
import { type LogLine, startRelay } from './relay.js';

const TRIES = 10;
/** The first, and those after 1, 4, 16 and 64 s; the last at the stop. */
const MOST = 6;

await t.test('a hopeless TLS link for some seconds', async (t) => {
  const lower = await FakeLower.start({ kind: 'vscpd-15' });
  const upper = await FakeUpper.start({ tls: 'wrong-ca' });
  t.teardown(() => Promise.all([lower.close(), upper.close()]));
  const relay = await startRelay(t, {
    lowers: [{ name: 'plant', port: lower.port }],
    uppers: [{ name: 'portal', port: upper.port }],
  });
  const connections = (): number => relay.supervisor()?.uppers[0]?.connections ?? 0;
  await relay.until(() => connections() >= TRIES, 'it is tried again and again');
  t.equal(await relay.stop(), 0);
  const tries = connections();
  const KINDS: Readonly<Record<string, (line: LogLine) => boolean>> = {
    connected: ({ from, event }) => from === 'dial portal' && event === 'connected',
    disconnected: ({ link, event }) => link === 'upper portal' && event === 'disconnected',
    tls: ({ from, event }) => from === 'upper portal' && event === 'tls',
  };
  for (const [name, is] of Object.entries(KINDS)) {
    const lines = relay.log.filter(is);
    const times = relay.happened(is).length;
    t.ok(lines.length >= 2 && lines.length <= MOST, `${name}: ${lines.length} lines`);
    t.ok(Math.abs(times - tries) <= 1, `${name}: ${times} of ${tries} tries are counted`);
    t.equal(lines[0]!.repeated, undefined, 'the first passes as it is');
  }
  t.equal(relay.log.at(-1)?.event, 'stopped', 'what was counted is said before the last word');
  for (const { from, link, repeated = 1, msg } of relay.log) {
    const about = from ?? String(link);
    if (!about.endsWith(' portal')) t.equal(repeated, 1, `${about}: ${msg}`);
  }
});
