/** An upper server whose certificate changes between two connections. */
import t from 'tap';
import { FakeLower } from '../fake/lower.js';
import { FakeUpper } from '../fake/upper.js';
import { checkArrivals, checkSums, Feed, lastOf, Times, untilSettled } from './links.js';
import { startRelay } from './relay.js';

const WINDOW = 8;
const FOREIGN =
  "TLS failed: the server's certificate does not come from the configured ca " +
  '(UNABLE_TO_VERIFY_LEAF_SIGNATURE)';

await t.test('a new certificate of the same authority, of another one, and back', async (t) => {
  const lower = await FakeLower.start({ kind: 'vscpd-15' });
  t.teardown(() => lower.close());
  const upper = await FakeUpper.start();
  t.teardown(() => upper.close());
  const relay = await startRelay(t, {
    lowers: [{ name: 'plant', port: lower.port }],
    uppers: [{ name: 'portal', port: upper.port, window: WINDOW }],
  });
  const feed = new Feed(t, lower, 1);
  const times = new Times();
  feed.resume();
  await relay.until(() => lastOf(upper, feed) > 0, 'events flow');

  const flowsAgain = async (what: string): Promise<void> => {
    const from = performance.now();
    const { length } = upper.sends;
    await relay.until(() => upper.sends.length > length, `${what}: events flow`);
    times.add(what, performance.now() - from);
  };
  await upper.present('renewed');
  t.equal(upper.connections.length, 1, 'a connection that is up stays up');
  upper.dropAll('fin');
  await relay.until(() => upper.open === 0, 'it ends');
  await flowsAgain('renewed');
  t.notOk(relay.logged(({ event }) => event === 'tls'));

  await upper.present('wrong-ca');
  upper.dropAll('fin');
  await relay.until(
    () => relay.logged(({ msg }) => msg === FOREIGN) !== undefined,
    'it is refused',
  );
  const { length } = upper.sends;
  const connections = (): number => relay.supervisor()!.uppers[0]!.connections;
  const tried = connections();
  await relay.until(() => connections() >= tried + 3, 'it is tried again');
  t.equal(upper.sends.length, length, 'and gets nothing');
  t.equal(relay.supervisor()!.uppers[0]!.cause, 'tls', 'the status says why');

  await upper.present('none');
  await flowsAgain('back');
  times.comment(t, 'certificates');
  feed.pause();
  await untilSettled(relay, () => lastOf(upper, feed) === feed.last, ['portal']);
  const count = checkArrivals(t, upper.sends, feed, 'the plant');
  t.equal(count, feed.last);
  await checkSums(t, relay, { plant: count }, ['portal']);
  const again = upper.sends.length - count;
  t.ok(again <= relay.upper('portal')!.resent, `${again} came twice, named as resent`);
  t.equal(lower.connections.length, 1, 'below nothing is noticed');
  t.equal(await relay.stop(), 0);
});
