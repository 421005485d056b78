import fc from 'fast-check';
import t, { type Test } from 'tap';
import { decodeEvent } from '../../../src/event/decode.js';
import { MAX_BODY } from '../../../src/event/layout.js';
import { writeSend } from '../../../src/link/send.js';
import { type Board, Peer, start, until } from './kit.js';

const OK = '+OK - Success.\r\n';
const NEEDS_LOGIN = '-OK - Need to log in to perform this command.\r\n';
const NO_RIGHT = '-OK - No right to perform this command.\r\n';
const INVALID = '-OK - Invalid parameter or format\r\n';
const GUID = 'FF:FF:FF:FF:FF:FF:FF:FE:00:00:00:00:00:01:00:02';
const EVENT = `0,10,6,0,2026-11-22T08:00:00Z,1,${GUID},138,1,7`;
const ALARM = `64,1,2,0,2026-11-22T08:00:01Z,2,${GUID},0,1,2`;

async function scene(t: Test, limits = {}): Promise<Board & { relay: Peer; reader: Peer }> {
  const board = await start(t, limits);
  const [relay, reader] = await Promise.all([
    Peer.enter(board.server),
    Peer.enter(board.server, 'reader'),
  ]);
  t.teardown(() => {
    relay.hangUp();
    reader.hangUp();
  });
  return { ...board, relay, reader };
}

await t.test(
  'before the login, what needs none is answered, in any case, and no more',
  async (t) => {
    const { server } = await start(t);
    const peer = await Peer.dial(server);
    t.match(await peer.answers(1), /^tidegate board\r\n.*\r\n\+OK - Success\.\r\n$/);
    for (const command of ['NOOP', 'noop', ' \tNoOp', 'NOOP 1 2']) {
      t.equal(await peer.ask(command), OK, command);
    }
    for (const command of ['VERS', 'version']) t.equal(await peer.ask(command), `1,0,0,0\r\n${OK}`);
    for (const command of ['WCYD', 'WhatCanYouDo']) {
      t.equal(await peer.ask(command), `00-00-00-00-00-00-80-78\r\n${OK}`);
    }
    t.match(await peer.ask('CHALLENGE abc'), /^\+OK - [0-9a-f]{32}\r\n$/);
    t.not(await peer.ask('CHALLENGE'), await peer.ask('CHALLENGE'), 'each time another');
    t.equal(await peer.ask('QUITLOOP'), '+OK - Quit receive loop.\r\n');
    t.equal(await peer.ask('HELP SEND'), (await peer.ask('help send')) || 'nothing');
    t.match(await peer.ask('HELP SEND'), 'head,class,type');
    t.equal(await peer.ask('HELP FOO'), '-OK - Unknown command\r\n');
    const help = await peer.ask('HELP');
    const commands =
      '+ NOOP HELP QUIT USER PASS CHALLENGE SEND RETR RCVLOOP QUITLOOP CDTA CHKDATA CLRA CLRALL STAT ' +
      'INFO CHID GETCHID SGID SETGUID GGID GETGUID VERS VERSION SFLT SETFILTER SMSK SETMASK ' +
      'INTERFACE WCYD WHATCANYOUDO';
    for (const command of commands.split(' ')) t.ok(help.includes(command), `HELP has ${command}`);
    const guarded =
      `SEND ${EVENT}|RETR|RCVLOOP|CDTA|CHKDATA|CHECKDATA|CLRA|CLRALL|STAT|INFO|CHID|GETCHID|SGID -|` +
      'SETGUID -|GGID|GETGUID|SFLT 0,0,0,-|SETFILTER 0,0,0,-|SMSK 0,0,0,-|SETMASK 0,0,0,-|INTERFACE';
    for (const command of guarded.split('|'))
      t.equal(await peer.ask(command), NEEDS_LOGIN, command);
    for (const command of [
      'FOO',
      'NOOPX',
      'SENDX',
      '++',
      '+1',
      '\x00',
      'é',
      'constructor',
      'TEST',
    ]) {
      t.equal(await peer.ask(command), '-OK - Unknown command\r\n', command);
    }
    t.equal(
      await peer.ask('PASS secret'),
      '-OK - Need a Username before a password can be entered.\r\n',
    );
    t.equal(await peer.ask('USER'), INVALID);
    peer.write('\r\n  \r\n\n');
    t.equal(await peer.ask('NOOP'), OK, 'an empty line is no command');
    t.equal(await peer.ask('QUIT'), '+OK - Connection closed by client.\r\n');
    await peer.end();
    t.equal(server.counters.sessions, 0);
  },
);

await t.test('after the login, each command that every node must have is answered', async (t) => {
  const { server, reader } = await scene(t);
  t.match(await reader.ask('USER other'), /^-OK/, 'nobody becomes another one');
  t.match(await reader.ask('PASS other'), /^-OK/);
  const chid = Number.parseInt(await reader.ask('CHID'));
  t.ok(chid > 0);
  t.equal(await reader.ask('GETCHID'), `${chid}\r\n${OK}`);
  const own = `FF:FF:FF:FF:FF:FF:FF:F5:01:00:00:00:00:0${chid}:00:00`;
  t.equal(await reader.ask('GGID'), `${own}\r\n${OK}`);
  t.equal(await reader.ask('SETGUID 0:1:2:3:4:5:6:7:8:9:A:B:C:D:E:F'), OK);
  const mine = '00:01:02:03:04:05:06:07:08:09:0A:0B:0C:0D:0E:0F';
  t.equal(await reader.ask('GETGUID'), `${mine}\r\n${OK}`);
  for (const guid of ['', '0:1', 'x', `${mine}:0`, 'a'.repeat(1000)]) {
    t.equal(await reader.ask(`SGID ${guid}`), INVALID, `SGID ${guid}`);
  }
  t.equal(await reader.ask('GGID'), `${mine}\r\n${OK}`, 'a bad one changes nothing');
  for (const command of ['INTERFACE', 'interface list']) {
    const form = new RegExp(
      `^${chid},4,${mine},tidegate board \\| Started at [-T:\\d]{19}Z\\r\\n\\+OK`,
    );
    t.match(await reader.ask(command), form);
  }
  t.equal(await reader.ask(`INTERFACE close ${mine}`), '+OK - Success.\r\n');
  t.equal(await reader.ask('INTERFACE unique x'), INVALID);
  t.equal(await reader.ask('STAT'), `0,0,0,0,0,0,0\r\n${OK}`);
  t.equal(await reader.ask('INFO'), `0,0,0,""\r\n${OK}`);
  for (const command of ['CDTA', 'CHKDATA', 'CHECKDATA']) {
    t.equal(await reader.ask(command), `0\r\n${OK}`);
  }
  for (const command of ['CLRA', 'CLRALL']) {
    t.equal(await reader.ask(command), '+OK - All events cleared.\r\n');
  }
  for (const command of ['SHUTDOWN', 'RESTART']) t.match(await reader.ask(command), /^-OK/);
  t.equal(server.counters.sessions, 2);
});

await t.test('a relay sends events, and is given none', async (t) => {
  const { server, events, relays, relay } = await scene(t);
  t.same(relays, ['relay here']);
  t.equal(await relay.ask(`SEND ${EVENT}`), OK);
  t.equal(await relay.ask(`send ${ALARM}`), OK);
  t.same(events, [`relay ${EVENT}`, `relay ${ALARM}`]);
  for (const command of ['RCVLOOP', 'RETR', 'RETR 2', 'RETR -1']) {
    t.equal(await relay.ask(command), NO_RIGHT);
  }
  t.equal(await relay.ask('CDTA'), `0\r\n${OK}`);
  t.equal(await relay.ask('STAT'), `0,0,0,${EVENT.length + ALARM.length},2,0,0\r\n${OK}`);
  t.equal(relay.text, '');
  relay.hangUp();
  await until(() => relays.length === 2);
  t.same(relays, ['relay here', 'relay gone']);
  t.match(server.counters, { events: 2, malformed: 0 });
});

await t.test('a SEND may leave to the interface what it does not know', async (t) => {
  const { events, relay } = await scene(t);
  const guid = (await relay.ask('GGID')).slice(0, 47);
  for (const event of ['0,20,3,,,,-,0,1,35', '0,20,3,0,,,,0,1,35', '0,20,3,0,,0,-,0,1,35']) {
    t.equal(await relay.ask(`SEND ${event}`), OK, event);
    t.equal(events.at(-1), `relay 0,20,3,0,,0,${guid},0,1,35`);
  }
  for (const event of ['0,20,3,0,,,-', '0,20,3,0,,,']) {
    t.equal(await relay.ask(`SEND ${event}`), OK, event);
    t.equal(events.at(-1), `relay 0,20,3,0,,0,${guid}`);
  }
  const fraction = '0,20,3,0,2026-11-22T08:00:00.123Z,5,';
  t.equal(await relay.ask(`SEND ${fraction}${GUID},1`), OK, 'as node-vscp writes it');
  t.equal(events.at(-1), `relay 0,20,3,0,2026-11-22T08:00:00Z,5,${GUID},1`);
  t.equal(await relay.ask(`SEND ${fraction}-,1`), OK);
  t.equal(events.at(-1), `relay 0,20,3,0,2026-11-22T08:00:00Z,5,${guid},1`);
  t.equal(await relay.ask('SEND 0x60,0xA,0x06,,,0x10,0:1:2:3:4:5:6:7:8:9:a:b:c:d:e:f,0xfF'), OK);
  t.match(events.at(-1), '96,10,6,0,,16,00:01:02:03:04:05:06:07:08:09:0A:0B:0C:0D:0E:0F,255');
});

await t.test('a malformed SEND is refused by one line, counted, and changes nothing', async (t) => {
  const { server, events, relay } = await scene(t);
  const bad: readonly (readonly [string, string])[] = [
    ['', 'empty'],
    ['0,10', 'truncated'],
    ['x,10,6,0,,0,-', 'head'],
    ['0,65536,6,0,,0,-', 'class'],
    ['0,10,NaN,0,,0,-', 'type'],
    ['0,10,6,-1,,0,-', 'obid'],
    ['0,10,6,0,2025-02-30T25:61:61Z,0,-', 'datetime'],
    ['0,10,6,0,,99999999999999999999999,-', 'timestamp'],
    ['0,10,6,0,,0,1:2', 'guid'],
    ['0,10,6,0,,0,--', 'guid'],
    ['0,10,6,0,,0,-1', 'guid'],
    ['0,10,6,0,,0,-,256', 'data'],
    ['0,10,6,0,,0,-,1,', 'data'],
    [`0,10,6,0,,0,-${',0'.repeat(513)}`, 'size'],
    ['$variable', 'head'],
  ];
  for (const [event, kind] of bad) {
    const answer = await relay.ask(`SEND ${event}`);
    t.equal(answer, `-OK - Invalid parameter or format (${kind})\r\n`, event);
  }
  t.equal(await relay.ask('SEND'), '-OK - Invalid parameter or format (empty)\r\n');
  t.same(events, []);
  t.match(server.counters, { events: 0, malformed: bad.length + 1 });
  t.equal(await relay.ask(`SEND 0,10,6,0,,0,${GUID}${',0xFF'.repeat(512)}`), OK, 'the longest one');
});

await t.test('`+` repeats the last command, and never a password', async (t) => {
  const { server, events, relay } = await scene(t);
  t.equal(await relay.ask('+'), '-OK - No command to repeat.\r\n', 'the last one was PASS');
  t.equal(await relay.ask(`SEND ${EVENT}`), OK);
  t.equal(await relay.ask('+'), OK);
  t.equal(events.length, 2);
  relay.write(`CDTA\r\n+\r\n+\r\nSEND ${ALARM}\r\n+\r\n`);
  t.equal(await relay.answers(5), `0\r\n${OK}`.repeat(3) + OK + OK);
  t.same(events.slice(2), [`relay ${ALARM}`, `relay ${ALARM}`]);
  const peer = await Peer.dial(server);
  await peer.answers(1);
  peer.write('+\r\nUSER reader\r\nPASS watch\r\n+\r\n');
  t.match(await peer.answers(4), /^-OK[^]*\+OK[^]*\+OK[^]*-OK - No command to repeat/);
  peer.hangUp();
});

await t.test('RETR gives what waits, as many as asked for', async (t) => {
  const { relay, reader } = await scene(t);
  t.equal(await reader.ask('RETR'), '-OK - No event(s) available\r\n');
  t.equal(await reader.ask('RETR -1'), '-OK - No event(s) available\r\n');
  relay.write(`SEND ${EVENT}\r\nSEND ${ALARM}\r\n`.repeat(3));
  await relay.answers(6);
  t.equal(await reader.ask('CDTA'), `6\r\n${OK}`);
  t.equal(await reader.ask('RETR'), `${EVENT}\r\n${OK}`);
  t.equal(await reader.ask('retr 2'), `${ALARM}\r\n${EVENT}\r\n${OK}`);
  t.equal(
    await reader.ask('RETR 9'),
    `${ALARM}\r\n${EVENT}\r\n${ALARM}\r\n-OK - No event(s) available\r\n`,
  );
  for (const count of ['0', '-2', 'NaN', '1.5', '1e3', '99999999', '1 2']) {
    t.equal(await reader.ask(`RETR ${count}`), INVALID, count);
  }
  await relay.ask(`SEND ${EVENT}`);
  t.equal(await reader.ask('RETR -1'), `${EVENT}\r\n${OK}`);
  await relay.ask(`SEND ${EVENT}`);
  await reader.ask('CLRA');
  t.equal(await reader.ask('CDTA'), `0\r\n${OK}`);
  t.match(await reader.ask('STAT'), /^0,0,0,0,0,\d+,7\r\n/);
});

await t.test('in the receive loop events come as they are, with signs of life', async (t) => {
  const { relay, reader } = await scene(t, { sign: 300 });
  await relay.ask(`SEND ${ALARM}`);
  reader.write('RCVLOOP\r\n');
  t.equal(await reader.answers(1), '+OK - Receive loop entered. QUITLOOP to terminate.\r\n');
  await relay.ask(`SEND ${EVENT}`);
  t.equal(await reader.answers(1), `${ALARM}\r\n${EVENT}\r\n+OK\r\n`, 'what waited comes first');
  t.equal(await reader.answers(2), '+OK\r\n+OK\r\n');
  t.match(await reader.ask('STAT'), /^0,0,0,0,0,\d+,2\r\n\+OK/, 'commands are answered in it');
  t.equal(await reader.ask('QUITLOOP'), '+OK - Quit receive loop.\r\n');
  await relay.ask(`SEND ${EVENT}`);
  t.equal(await reader.ask('CDTA'), `1\r\n${OK}`, 'then events wait again');
});

await t.test('a filter and its mask hold back what does not match', async (t) => {
  const { relay, reader } = await scene(t);
  const both = `SEND ${EVENT}\r\nSEND ${ALARM}\r\n`;
  const retrieve = async (...commands: string[]): Promise<string[]> => {
    for (const command of commands) t.equal(await reader.ask(command), OK, command);
    relay.write(both);
    await relay.answers(2);
    const answer = await reader.ask('RETR 9');
    return answer.split('\r\n').slice(0, -2);
  };
  t.same(await retrieve('SFLT 0,10,6,-'), [EVENT, ALARM], 'a mask of zero lets all pass');
  t.same(await retrieve('SMSK 0,0xFFFF,0xFFFF,-'), [EVENT]);
  t.same(await retrieve('SETFILTER 2, 1, 0, -', 'SETMASK 7,0,0,'), [ALARM], 'by priority');
  t.same(await retrieve(`SFLT 0,0,0,${GUID}`, 'SMSK 0,0,0,::'), [EVENT, ALARM], 'by GUID');
  t.same(await retrieve('SFLT 0,0,0,-', 'SMSK 0,0,0,-:1'), [EVENT, ALARM]);
  t.same(await retrieve('SMSK 0,0,0,-:2'), [], 'its last byte');
  for (const bad of ['', '0,0,0', '0,0,0,x', '0,65536,0,-', '0,-1,0,-', '0,0,0,-,8', 'NaN,0,0,-']) {
    t.equal(await reader.ask(`SFLT ${bad}`), INVALID, bad);
    t.equal(await reader.ask(`SMSK ${bad}`), INVALID, bad);
  }
  t.same(await retrieve(), [], 'a bad one changes nothing');
});

await t.test('a queue that is full drops the oldest, and STAT and INFO say so', async (t) => {
  const { server, relay, reader } = await scene(t, { queue: 3 });
  for (let i = 0; i < 5; i++) await relay.ask(`SEND ${EVENT.replace('Z,1,', `Z,${i},`)}`);
  t.match(await reader.ask('STAT'), /^0,0,2,/);
  t.match(await reader.ask('INFO'), /^0,12,0,"Overrun"\r\n\+OK/);
  const [first, , third] = (await reader.ask('RETR 3')).split('\r\n');
  t.match([first, third], [/Z,2,/, /Z,4,/]);
  t.equal(server.counters.dropped, 2);
});

await t.test('a session is the same wherever its bytes are cut', async (t) => {
  const { server, events } = await scene(t);
  const said = `NOOP\r\nSEND ${EVENT}\nFOO\r\n\r\n+\r\nSEND 1\r\nSEND ${ALARM}\r\n+\r\nVERS\r\n`;
  const whole = `${OK}${OK}-OK - Unknown command\r\n-OK - Unknown command\r\n`.concat(
    `-OK - Invalid parameter or format (truncated)\r\n${OK}${OK}1,0,0,0\r\n${OK}`,
  );
  const sessions = await Promise.all([1, 2, 3].map(() => Peer.enter(server)));
  for (let cut = 1; cut < said.length; cut++) {
    const peer = sessions[cut % 3]!;
    peer.write(said.slice(0, cut));
    await new Promise((resolve) => setImmediate(resolve));
    peer.write(said.slice(cut));
    const answer = await peer.answers(8);
    if (answer !== whole) t.equal(answer, whole, `cut at ${cut}`);
  }
  t.equal(events.length, 3 * (said.length - 1));
  const [slow] = sessions;
  for (const byte of said) slow!.write(byte);
  t.equal(await slow!.answers(8), whole, 'byte by byte');
  for (const peer of sessions) peer.hangUp();
});

await t.test('many SENDs of one segment are answered in order by one write', async (t) => {
  const { events, relay } = await scene(t);
  let segments = 0;
  relay.socket.on('data', () => segments++);
  const sends = Array.from({ length: 100 }, (_, i) =>
    i % 10 === 9 ? 'SEND x\r\n' : `SEND ${EVENT.replace('Z,1,', `Z,${i},`)}\r\n`,
  );
  relay.write(sends.join(''));
  const answer = await relay.answers(100);
  const expected = `${OK.repeat(9)}-OK - Invalid parameter or format (truncated)\r\n`.repeat(10);
  t.equal(answer, expected.replaceAll('(truncated)', '(head)'));
  t.equal(segments, 1);
  t.equal(events.length, 90);
  t.ok(
    events.every((event, i) => event.includes(`Z,${i + Math.floor(i / 9)},`)),
    'in order',
  );
});

await t.test("the relay's own SEND lines are taken as they were meant", async (t) => {
  const { events, relay } = await scene(t);
  const body = new Uint8Array(MAX_BODY);
  const out = Buffer.alloc(4096);
  const given: string[] = [
    `0,10,6,0,,1795336913534635000,${GUID},138`,
    `224,1060,6,0,2026-11-22T08:00:00,4294967295,${GUID}`,
    `0,1024,20,0,,7,${GUID}${',255'.repeat(512)}`,
  ];
  for (const event of given) {
    decodeEvent(Buffer.from(event), 0, event.length, body, 0);
    for (const timestamps of ['nanoseconds', 'datetime'] as const) {
      const end = writeSend(body, 0, out, 0, timestamps);
      relay.write(Buffer.from(out.subarray(0, end)));
      t.equal(await relay.answers(1), OK);
      t.equal(events.at(-1), `relay ${out.toString('latin1', 5, end - 2)}`);
    }
  }
});

await t.test('whatever a relay says, each line that is none too long has one answer', async (t) => {
  const { relay, reader } = await scene(t, { line: 300 });
  const word = fc.constantFrom('SEND', 'RETR', 'SFLT', 'USER', 'PASS', 'SGID', 'HELP', '+', 'CDTA');
  const junk = fc
    .string({ unit: 'binary', maxLength: 60 })
    .map((text) => text.replace(/[\r\n]/g, '?'));
  const event = fc.constantFrom(EVENT, ALARM, '0,0,0,0,,,-', ',,,,,,', '0,1,2');
  const line = fc.oneof(
    fc.tuple(word, junk).map((parts) => parts.join(' ')),
    event.map((text) => `SEND ${text}`),
    junk,
  );
  await fc.assert(
    fc.asyncProperty(fc.array(line, { maxLength: 30 }), fc.boolean(), async (lines, reads) => {
      const peer = reads ? reader : relay;
      const counted = lines.filter(
        (text) => !/^[ \t]*$/.test(text) && !/^[ \t]*QUIT\b/i.test(text),
      );
      peer.write(counted.map((text) => `${text}\r\n`).join(''));
      await peer.answers(counted.length);
      t.equal(await peer.ask('NOOP'), OK);
      if (peer.text !== '' || peer.ended) throw new Error('more was answered, or it ended');
    }),
    { numRuns: 60 },
  );
});
