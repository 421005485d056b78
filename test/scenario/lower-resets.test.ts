import { createServer, type AddressInfo, type Socket } from 'node:net';
import t from 'tap';
import { FakeUpper } from '../fake/upper.js';
import { startRelay } from './relay.js';

const GUID = 'FF:FF:FF:FF:FF:FF:FF:FE:B8:27:EB:10:01:02:00:01';

await t.test(
  'a server that resets as it says yes is dialled again, and read when it is well',
  async (t) => {
    const upper = await FakeUpper.start({});
    let connections = 0;
    let loop: Socket | undefined;
    const server = createServer((socket) => {
      const well = ++connections > 6;
      socket.setNoDelay(true);
      socket.on('error', () => socket.destroy());
      socket.write('hello\r\n+OK\r\n');
      socket.on('data', (chunk: Buffer) => {
        const text = chunk.toString();
        socket.write(text.includes('PASS') ? '+OK - secret echoed: PASS secret\r\n' : '+OK\r\n');
        if (text.includes('PASS') && !well) socket.resetAndDestroy();
        if (text.includes('RCVLOOP')) loop = socket;
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    t.teardown(() => Promise.all([upper.close(), new Promise((done) => server.close(done))]));
    t.teardown(() => loop?.destroy());
    const { port } = server.address() as AddressInfo;
    const relay = await startRelay(t, {
      lowers: [{ name: 'plant', port }],
      uppers: [{ name: 'portal', port: upper.port }],
    });
    await relay.until(() => loop !== undefined, 'the healthy server is logged in to');
    loop!.write(`0,10,6,0,,1,${GUID},1\r\n`);
    await relay.until(() => upper.accepted.length === 1, 'its event arrives');
    await relay.stop();
  },
);

await t.test('a server that echoes the password does not get it into the log', async (t) => {
  const upper = await FakeUpper.start({});
  const server = createServer((socket) => {
    socket.on('error', () => socket.destroy());
    socket.write('+OK\r\n');
    socket.on('data', (chunk: Buffer) => {
      const text = chunk.toString();
      socket.write(text.startsWith('PASS') ? `-OK - bad command: ${text}` : '+OK\r\n');
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => Promise.all([upper.close(), new Promise((done) => server.close(done))]));
  const { port } = server.address() as AddressInfo;
  const relay = await startRelay(t, {
    lowers: [{ name: 'plant', port, password: 'tell-nobody' }],
    uppers: [{ name: 'portal', port: upper.port }],
  });
  await relay.until(
    () => relay.logged((line) => line.msg.includes('PASS was refused')) !== undefined,
    'the refusal is logged',
  );
  t.notMatch(JSON.stringify(relay.log), /tell-nobody/);
  t.match(JSON.stringify(relay.log), /bad command: PASS \*\*\*/);
  await relay.stop();
});
