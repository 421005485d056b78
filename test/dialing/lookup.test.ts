import type { LookupAddress } from 'node:dns';
import { type AddressInfo, connect, createServer } from 'node:net';
import t from 'tap';
import { type Ask, Lookup } from '../../src/dialing/lookup.js';

const V6 = { address: '2001:db8::1', family: 6 };
const V4 = { address: '192.0.2.1', family: 4 };

/** A name service that answers when it is told to. */
function slowly() {
  const asked: Parameters<Ask>[] = [];
  const lookup = new Lookup((...call) => void asked.push(call));
  const heard: unknown[] = [];
  const find = (all: boolean): void => {
    const number = heard.push(undefined) - 1;
    lookup.find('upper.example', { all, hints: 32 }, (...answer) => (heard[number] = answer));
  };
  return { lookup, asked, heard, find };
}

await t.test('while a lookup hangs it is shared, and not repeated', (t) => {
  const { lookup, asked, heard, find } = slowly();
  t.notOk(lookup.pending);
  for (let i = 0; i < 1000; i++) find(true);
  t.equal(asked.length, 1);
  t.strictSame(asked[0]!.slice(0, 2), ['upper.example', { all: true, hints: 32 }]);
  t.ok(lookup.pending);
  asked[0]![2](null, [V6, V4]);
  t.strictSame(heard.at(-1), [null, [V6, V4]], 'the try that waits has it');
  t.ok(
    heard.slice(0, -1).every((answer) => answer === undefined),
    'the others have given up',
  );
  t.notOk(lookup.pending);
  find(true);
  t.equal(asked.length, 2, 'the next try asks again');
  t.end();
});

await t.test('one address, all, or an error', (t) => {
  const { asked, heard, find } = slowly();
  find(false);
  asked[0]![2](null, [V6, V4]);
  t.strictSame(heard[0], [null, V6.address, 6]);
  const failure = Object.assign(new Error('not found'), { code: 'ENOTFOUND' });
  for (const all of [false, true]) {
    find(all);
    // As Node does.
    asked.at(-1)![2](failure, undefined as unknown as LookupAddress[]);
    t.equal((heard.at(-1) as unknown[])[0], failure);
  }
  t.end();
});

await t.test('of several addresses, the one that answers is connected to', async (t) => {
  const server = createServer((socket) => socket.destroy());
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  t.teardown(() => server.close());
  const { port } = server.address() as AddressInfo;
  const lookup = new Lookup((_, __, found) => {
    // Nobody listens at the first two; the third is there.
    found(null, [
      { address: '::1', family: 6 },
      { address: '127.0.0.9', family: 4 },
      { address: '127.0.0.1', family: 4 },
    ]);
  });
  const socket = connect({ host: 'upper.example', port, lookup: lookup.find });
  t.teardown(() => socket.destroy());
  await new Promise<void>((done, fail) => socket.once('connect', done).once('error', fail));
  t.equal(socket.remoteAddress, '127.0.0.1');
});

await t.test('the system is asked unless told otherwise', async (t) => {
  const addresses = await new Promise((done) => {
    new Lookup().find('127.0.0.1', { all: true }, (_, found) => done(found));
  });
  t.strictSame(addresses, [{ address: '127.0.0.1', family: 4 }]);
});
