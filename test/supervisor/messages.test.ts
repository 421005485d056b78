/** The supervisor's side of its messages, over real sockets with processes that say what they like. */
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import fc from 'fast-check';
import t, { type Test } from 'tap';
import { receiveConnections, sendOrder } from '../../src/supervisor/messages.js';
import {
  type ConnectionMessage,
  formatDial,
  MAX_MESSAGE,
  parseConnection,
  parseDial,
} from '../../src/wire/handover.js';

const ORDER = { useful: true, refused: false } as const;

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await sleep(2);
}

/** Both ends of a connection of this process with itself. */
async function makePair(t: Test): Promise<{ own: Socket; theirs: Socket }> {
  const server = createServer().listen(`\0messages-${process.pid}-${Math.random()}`);
  await once(server, 'listening');
  const theirs = connect(server.address() as string);
  const [own] = (await once(server, 'connection')) as [Socket];
  server.close();
  for (const socket of [own, theirs]) {
    socket.on('error', () => undefined);
    t.teardown(() => socket.destroy());
  }
  return { own, theirs };
}

class Talk {
  readonly connections: ConnectionMessage[] = [];
  readonly refusals: string[] = [];
  readonly own: Socket;
  readonly theirs: Socket;

  private constructor(own: Socket, theirs: Socket, connected: () => void) {
    this.own = own;
    this.theirs = theirs;
    receiveConnections(
      own,
      (message) => {
        this.connections.push(message);
        connected();
      },
      (reason) => this.refusals.push(reason),
    );
  }

  static async start(t: Test, connected: () => void = () => undefined): Promise<Talk> {
    const { own, theirs } = await makePair(t);
    return new Talk(own, theirs, connected);
  }

  /** Has bytes read by themselves. */
  async say(...chunks: string[]): Promise<void> {
    for (const chunk of chunks) {
      const before = this.own.bytesRead;
      this.theirs.write(chunk, 'latin1');
      await until(() => this.own.bytesRead >= before + chunk.length || this.own.destroyed);
    }
  }
}

await t.test('messages arrive, whatever the pieces', async (t) => {
  const text = 'connection 1 45\nconnection 2 0\nconnection 999999999 99999\n';
  const expected = [
    { number: 1, script: 45 },
    { number: 2, script: 0 },
    { number: 999_999_999, script: 99_999 },
  ];
  for (let at = 0; at <= text.length; at++) {
    const talk = await Talk.start(t);
    await talk.say(...[text.slice(0, at), text.slice(at)].filter((chunk) => chunk !== ''));
    await until(() => talk.connections.length === 3 || talk.refusals.length > 0);
    t.strictSame([talk.connections, talk.refusals], [expected, []], `in two at ${at}`);
  }
  const talk = await Talk.start(t);
  await talk.say(...Array.from(text));
  await until(() => talk.connections.length === 3);
  t.strictSame([talk.connections, talk.refusals], [expected, []], 'byte by byte');
  const many = Array.from({ length: 5000 }, (_, i) => `connection ${i + 1} 7\n`);
  await talk.say(many.join(''));
  await until(() => talk.connections.length === 5003);
  t.strictSame(talk.refusals, []);
});

const WRONG = [
  ...['', ' ', 'connection', 'connection ', 'connection 1', 'connection 1 ', 'connection  1 5'],
  ...['connection 0 5', 'connection -1 5', 'connection 1000000000 5', 'connection 01 5'],
  ...['connection +1 5', 'connection 1.0 5', 'connection 1e3 5', 'connection 0x1 5'],
  ...['connection 1 -5', 'connection 1 123456', 'connection 1 5 ', 'connection 1 5\r'],
  ...[' connection 1 5', 'Connection 1 5', 'connection 1 5\0', '\0connection 1 5', '\xff\xfe'],
  ...['connection\t1\t5', 'connection 1 5 6', 'connections 1 5', 'connection \u0661 5', 'null'],
  ...['dial useful accepted', '{"connection":1}', '{"cmd":"NODE_HANDLE"}', '__proto__', 'x'],
  `connection 1 5${' '.repeat(MAX_MESSAGE)}`,
];

await t.test(
  'what is not in the table is refused, once, and nothing is heard after it',
  async (t) => {
    for (const wrong of WRONG) {
      for (const before of ['', 'connection 3 1\n']) {
        const talk = await Talk.start(t);
        await talk.say(`${before}${wrong}\nconnection 4 1\n`);
        await until(() => talk.refusals.length > 0);
        await talk.say(`${wrong}\n`, 'connection 5 1\n');
        await until(() => talk.own.closed);
        t.strictSame(talk.refusals, ['unknown message'], JSON.stringify(wrong));
        t.equal(talk.connections.length, before === '' ? 0 : 1);
        t.notOk(sendOrder(talk.own, ORDER), 'whoever is refused takes no orders');
      }
    }
  },
);

await t.test('a line without an end is refused before it takes memory', async (t) => {
  for (const chunks of [
    ['x'.repeat(MAX_MESSAGE + 1)],
    Array.from({ length: MAX_MESSAGE + 1 }, () => ' '),
    ['connection 1 5\n', 'y'.repeat(4 << 20)],
  ]) {
    const talk = await Talk.start(t);
    await talk.say(...chunks);
    await until(() => talk.refusals.length > 0);
    t.strictSame(talk.refusals, ['a message without an end']);
    t.ok(talk.own.bytesRead < 1 << 20, `${talk.own.bytesRead} bytes read`);
  }
  const talk = await Talk.start(t);
  await talk.say('x'.repeat(MAX_MESSAGE));
  await sleep(20);
  t.strictSame(talk.refusals, [], 'a longest one may be on its way');
});

await t.test('what the receiver of a message throws is a refusal', async (t) => {
  const talk = await Talk.start(t, () => {
    throw new Error('a connection out of turn');
  });
  await talk.say('connection 1 5\nconnection 2 5\nx\n');
  await until(() => talk.refusals.length > 0);
  t.strictSame(talk.refusals, ['a connection out of turn']);
  t.equal(talk.connections.length, 1);
  t.ok(talk.own.destroyed);
});

await t.test('an end is no refusal, whatever was being said', async (t) => {
  for (const text of ['', 'connection 1', 'connection 1 5\n']) {
    const talk = await Talk.start(t);
    talk.theirs.end(text);
    await until(() => talk.own.closed);
    t.strictSame(talk.refusals, []);
    t.equal(talk.connections.length, Number(text.endsWith('\n')));
    t.notOk(sendOrder(talk.own, ORDER), 'nobody takes it');
  }
});

await t.test('orders arrive; who does not read them is found out', async (t) => {
  const { own, theirs } = await makePair(t);
  let heard = '';
  theirs.setEncoding('latin1').on('data', (chunk: string) => (heard += chunk));
  for (let i = 0; i < 50; i++) {
    t.ok(sendOrder(own, { useful: i % 2 === 0, refused: i % 3 === 0 }));
    await sleep(1);
  }
  await until(() => heard.split('\n').length === 51);
  t.strictSame(
    heard.trim().split('\n').map(parseDial),
    Array.from({ length: 50 }, (_, i) => ({ useful: i % 2 === 0, refused: i % 3 === 0 })),
  );
  theirs.pause();
  let count = 0;
  while (sendOrder(own, ORDER)) {
    if (++count > 100_000) break;
    if (count % 100 === 0) await sleep(1);
  }
  t.ok(count < 100_000, `found out after ${count} orders`);
  t.ok(own.writableLength < 8192, `${own.writableLength} bytes wait`);
  const waiting = own.writableLength;
  t.notOk(sendOrder(own, ORDER));
  t.equal(own.writableLength, waiting, 'and no more is added');
});

await t.test('the table of messages', (t) => {
  const number = fc.integer({ min: 1, max: 999_999_999 });
  const script = fc.integer({ min: 0, max: 99_999 });
  fc.assert(
    fc.property(number, script, (number, script) => {
      const line = `connection ${number} ${script}`;
      t.strictSame(parseConnection(line), { number, script });
      return line.length < MAX_MESSAGE;
    }),
    { numRuns: 200 },
  );
  for (const useful of [true, false]) {
    for (const refused of [true, false]) {
      const line = formatDial({ useful, refused });
      t.match(line, /^[^\n]+\n$/);
      t.strictSame(parseDial(line.slice(0, -1)), { useful, refused });
      t.throws(() => parseDial(line), 'the end of a line is no part of it');
      t.throws(() => parseConnection(line.slice(0, -1)));
    }
  }
  for (const wrong of WRONG) t.throws(() => parseConnection(wrong), JSON.stringify(wrong));
  for (const wrong of ['', 'dial', 'dial useful', 'dial useful accepted ', 'dial x y']) {
    t.throws(() => parseDial(wrong), wrong);
  }
  // Any text: either it says just what it means, or it is refused.
  const words = fc.constantFrom(
    'connection',
    'dial',
    'useful',
    'refused',
    ' ',
    '0',
    '1',
    '-',
    '\n',
  );
  const text = fc.oneof(
    fc.string(),
    fc.array(words).map((all) => all.join('')),
  );
  fc.assert(
    fc.property(text, (line) => {
      for (const again of [
        () => `connection ${parseConnection(line).number} ${parseConnection(line).script}`,
        () => formatDial(parseDial(line)).trimEnd(),
      ]) {
        let said: string;
        try {
          said = again();
        } catch {
          continue;
        }
        // Of the script alone zeros may lead.
        if (said !== line.replace(/^(connection \d+ )0+(?=\d)/, '$1')) return false;
      }
      return true;
    }),
    { numRuns: 2000 },
  );
  t.end();
});
