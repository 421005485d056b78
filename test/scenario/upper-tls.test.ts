import t from 'tap';
import { FakeLower } from '../fake/lower.js';
import { FakeUpper, type UpperOptions } from '../fake/upper.js';
import { numberedEvents, numberOf, startRelay } from './relay.js';

/** What the log says of each. */
const FLAWS: readonly (readonly [name: string, tls: UpperOptions['tls'] & string, said: string])[] =
  [
    [
      'stranger',
      'wrong-ca',
      "TLS failed: the server's certificate does not come from the configured ca " +
        '(UNABLE_TO_VERIFY_LEAF_SIGNATURE)',
    ],
    ['stale', 'expired', "TLS failed: the server's certificate has expired (CERT_HAS_EXPIRED)"],
    [
      'other',
      'wrong-name',
      "TLS failed: Host: upper.example. is not in the cert's altnames: DNS:other.example " +
        '(ERR_TLS_CERT_ALTNAME_INVALID)',
    ],
    [
      'old',
      'tls-1.2',
      'TLS failed: the server does not speak TLS 1.3 (ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION)',
    ],
    ['naked', 'plain', 'TLS failed: the server does not speak TLS (ERR_SSL_WRONG_VERSION_NUMBER)'],
  ];

const range = (last: number): number[] => Array.from({ length: last }, (_, i) => i + 1);

await t.test('an upper that cannot prove itself gets nothing, and hinders nobody', async (t) => {
  const lower = await FakeLower.start({ kind: 'vscpd-15' });
  t.teardown(() => lower.close());
  const healthy = await FakeUpper.start({ window: 'all' });
  t.teardown(() => healthy.close());
  const flawed = await Promise.all(FLAWS.map(([, tls]) => FakeUpper.start({ tls })));
  t.teardown(() => Promise.all(flawed.map((upper) => upper.close())));
  const relay = await startRelay(t, {
    lowers: [{ name: 'plant', port: lower.port }],
    uppers: [
      ...FLAWS.map(([name], i) => ({ name, port: flawed[i]!.port })),
      { name: 'healthy', port: healthy.port, window: 32 },
    ],
  });
  await lower.untilLoop();
  lower.send(numberedEvents(1, 200));
  await relay.until(() => healthy.accepted.length >= 200, 'the healthy upper gets all');

  for (const [name, tls, said] of FLAWS) {
    const from = `upper ${name}`;
    await relay.until(
      () => relay.logged((line) => line.from === from && line.msg === said) !== undefined,
      `the log names what is wrong with ${tls}`,
    );
    await relay.until(() => {
      const link = relay.supervisor()?.uppers.find((upper) => upper.name === name);
      return link !== undefined && link.connections >= 3 && link.cause === 'tls';
    }, `${tls} is tried again`);
    const lines = relay.log.filter((line) => line.from === from);
    t.ok(
      lines.every((line) => line.event === 'tls' && line.level === 'warn'),
      `${tls}: nothing else is logged`,
    );
  }
  flawed.forEach((upper, i) => {
    const [name, tls] = FLAWS[i]!;
    t.strictSame(upper.sends, [], `${tls}: no event`);
    for (const { received } of upper.connections) {
      t.notMatch(received.toString('latin1'), /USER|PASS|secret|SEND/, `${tls}: no login`);
    }
    t.equal(relay.upper(name)?.lanes.routine.sequence, 0);
    t.equal(relay.upper(name)?.answered, 0);
  });

  lower.send(numberedEvents(201, 300));
  await relay.until(() => healthy.accepted.length >= 300, 'the healthy upper goes on');
  t.strictSame(healthy.sends.map(numberOf), range(300), 'in order, once each');
  t.equal(healthy.connections.length, 1, 'over one connection');

  // Mended, it gets what it missed.
  const [first] = flawed;
  const { port } = first!;
  await first!.close();
  const mended = await FakeUpper.start({ port });
  t.teardown(() => mended.close());
  await relay.until(() => mended.accepted.length >= 300, 'the mended upper gets all');
  t.strictSame(mended.sends.map(numberOf), range(300));
  t.equal(await relay.stop(), 0);
});
