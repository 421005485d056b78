import t from 'tap';
import { parseEvent } from '../../src/event/event.js';
import { buildLogin } from '../../src/link/login.js';
import { FakeLower, type Kind } from '../fake/lower.js';
import { eventLines, readTranscript } from '../fake/transcript.js';
import { FakeUpper } from '../fake/upper.js';
import { startRelay } from './relay.js';

const KINDS: readonly Kind[] = ['vscpd-14', 'vscpd-15', 'uvscpd'];
const RECORDINGS: Readonly<Record<Kind, string>> = {
  'vscpd-14': 'vscpd-rcvloop',
  'vscpd-15': 'current-02-send-rcvloop',
  uvscpd: 'uvscpd-rcvloop',
};

/** What of an event must come out above: all but head's low bits, obid and the datetime's spelling. */
function essence(line: string): string {
  const event = parseEvent(line);
  const zulu = event.datetime.includes('T');
  const nanoseconds = zulu
    ? BigInt(Date.parse(`${event.datetime.slice(0, 19)}Z`)) * 1_000_000n + event.timestamp * 1000n
    : (event.timestamp / 1000n) * 1000n;
  const bytes = (data: Uint8Array): string => Buffer.from(data).toString('hex');
  return [
    event.head & 0xe0,
    event.vscpClass,
    event.type,
    nanoseconds,
    bytes(event.guid),
    bytes(event.data),
  ].join();
}

await t.test('three real servers at once: every recorded event line arrives above', async (t) => {
  const upper = await FakeUpper.start({});
  t.teardown(() => upper.close());
  const lowers = await Promise.all(
    KINDS.map((kind) => FakeLower.start({ kind, pieces: kind === 'vscpd-15' ? 40 : undefined })),
  );
  t.teardown(() => Promise.all(lowers.map((lower) => lower.close())));
  const lines = KINDS.map((kind) =>
    eventLines(readTranscript(RECORDINGS[kind])).map((line) => line.toString('latin1')),
  );
  // The first of them as backlog: they come in the segment of the answer to RCVLOOP.
  lowers.forEach((lower, i) => lower.backlog(lines[i]!.slice(0, 2).join('\r\n')));
  const relay = await startRelay(t, {
    lowers: KINDS.map((kind, i) => ({ name: kind, port: lowers[i]!.port })),
    // Most recorded events have priority 0.
    uppers: [{ name: 'portal', port: upper.port, drain: 'in-order' }],
  });
  await Promise.all(lowers.map((lower) => lower.untilLoop()));
  lowers.forEach((lower, i) => lower.send(lines[i]!.slice(2).join('\r\n')));
  const total = lines.flat().length;
  await relay.until(() => upper.accepted.length >= total, `${total} events arrive`);

  const arrived = upper.accepted.map(essence);
  KINDS.forEach((kind, i) => {
    const sent = lines[i]!.map(essence);
    const mine = new Set(sent);
    t.same(
      arrived.filter((one) => mine.has(one)),
      sent,
      `${kind}: all, in order`,
    );
  });
  for (const [kind, lower] of KINDS.map((kind, i) => [kind, lowers[i]!] as const)) {
    const script = buildLogin({
      user: 'admin',
      password: 'secret',
      filter: undefined,
      mask: undefined,
    });
    t.same(
      lower.connections.map(({ received }) => received),
      [script.bytes],
      `${kind}: the script`,
    );
  }
  await relay.until(() => {
    const sources = Object.values(relay.gate()?.sources ?? {});
    return sources.reduce((sum, source) => sum + source.permitted, 0) === total;
  }, 'the counters say so');
  for (const source of Object.values(relay.gate()!.sources)) {
    t.same([source.denied, source.malformed, source.lost], [0, {}, {}]);
  }
  t.equal(await relay.stop(), 0);
});
