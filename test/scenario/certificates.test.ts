/** Certificates are replaced while the relay runs, rightly and wrongly, and expire. */
import { renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { createAuthority, type Identity, issueCertificate } from '../../src/pki/authority.js';
import { FakeLower } from '../fake/lower.js';
import { FakeUpper } from '../fake/upper.js';
import { trusted } from '../fake/upper-pki.js';
import { numberedEvents, numberOf, startRelay } from './relay.js';

const client = (ca: Identity, days: number, notBefore?: Date): Promise<Identity> =>
  issueCertificate(ca, {
    ...{ commonName: 'relay', usage: 'client', names: [] },
    ...{ days, notBefore, bits: 2048 },
  });

await t.test('other certificates are taken without a restart, wrong ones are not', async (t) => {
  const lower = await FakeLower.start({ kind: 'vscpd-15' });
  t.teardown(() => lower.close());
  const upper = await FakeUpper.start();
  t.teardown(() => upper.close());
  const relay = await startRelay(t, {
    lowers: [{ name: 'plant', port: lower.port }],
    uppers: [{ name: 'portal', port: upper.port }],
  });
  const replace = (name: string, text: string): void => {
    const path = join(relay.directory, name);
    writeFileSync(`${path}.new`, text, { mode: 0o600 });
    renameSync(`${path}.new`, path);
  };
  let sent = 0;
  const flows = async (): Promise<void> => {
    lower.send(numberedEvents(sent + 1, sent + 10));
    sent += 10;
    await relay.until(() => upper.accepted.length === sent, `${sent} events are delivered`);
  };
  const certificate = () => relay.supervisor()?.certificates.find(({ part }) => part === 'cert');
  const events = (event: string) => relay.log.filter((line) => line.event === event);

  await lower.untilLoop();
  await flows();
  t.same(events('certificate-expires'), []);
  const before = certificate()!.expires;

  const soon = await client(await trusted(), 10);
  replace('relay.key', soon.key);
  replace('relay.pem', soon.certificate);
  await relay.until(() => upper.connections.length === 2, 'it connects with the other one');
  await relay.until(() => certificate()!.expires < before, 'the status says so');
  await relay.until(() => events('certificate-expires').length === 1, 'its expiry is warned of');
  t.match(events('certificate-expires')[0], { level: 'warn', days: 9 });
  await flows();

  const stranger = await client(await createAuthority({ commonName: 'x', days: 9, bits: 2048 }), 9);
  replace('relay.pem', stranger.certificate);
  await relay.until(() => certificate()?.refused !== undefined, 'what does not fit is refused');
  t.match(certificate()!.refused, /relay\.key is not the key of/);
  t.equal(events('certificate-refused').length, 1, 'and said to be, once');
  replace('ca.pem', 'no certificate at all');
  await flows();
  upper.dropAll('reset');
  await relay.until(() => upper.connections.length === 3, 'it connects with the old ones');
  await flows();

  const day = 86_400_000;
  const old = await client(await trusted(), 1, new Date(Date.now() - 2 * day));
  replace('ca.pem', (await trusted()).certificate);
  replace('relay.key', old.key);
  replace('relay.pem', old.certificate);
  await relay.until(
    () => certificate()?.refused?.includes('relay.pem expired on') === true,
    'an expired one is refused',
  );
  t.ok(certificate()!.expires > Date.now(), 'the one before stays');
  await flows();

  const good = await client(await trusted(), 90);
  replace('relay.pem', good.certificate);
  replace('relay.key', good.key);
  await relay.until(() => certificate()?.refused === undefined, 'right ones are taken');
  await relay.until(() => upper.connections.length === 4, 'it connects with them');
  await flows();
  t.same(
    upper.accepted.map(numberOf),
    Array.from({ length: sent }, (_, i) => i + 1),
  );
  t.equal(upper.sends.length, sent, 'nothing was sent twice');
  t.equal(await relay.stop(), 0, 'it ends well');
});
