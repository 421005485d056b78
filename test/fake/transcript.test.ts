import t from 'tap';
import {
  answers,
  decodeLiteral,
  eventLines,
  greeting,
  parseTranscript,
  phrase,
  readTranscript,
} from './transcript.js';

const told = (text: string) =>
  parseTranscript(text).map(({ connection, at, from, bytes }) => [
    connection,
    at,
    from,
    bytes.toString('latin1'),
  ]);

await t.test('literals', (t) => {
  t.same(
    decodeLiteral(String.raw`b'a\r\n\t\\\'\x00\xff'`),
    Buffer.from("a\r\n\t\\'\0\xff", 'latin1'),
  );
  t.same(decodeLiteral(String.raw`b"it's \"so\""`), Buffer.from('it\'s "so"'));
  t.same(decodeLiteral("b''"), Buffer.alloc(0));
  for (const other of [
    '',
    "b'",
    "'a'",
    'b"a\'',
    "b'a'b",
    String.raw`b'\q'`,
    String.raw`b'\xg0'`,
    String.raw`b'a\'`,
    "b'\u20ac'",
    "b'1,2 ...[608 bytes]... ,3'",
    '... 65 more lines ...',
  ]) {
    t.equal(decodeLiteral(other), undefined, other);
  }
  t.end();
});

await t.test('the format with a letter and an arrow', (t) => {
  const text = String.raw`# uvscpd port 8598 scenario x
   0.000 -- bad password
   0.151 C< b'uvscpd 1.0.0\r\n'
   0.152 C> b'NOOP\r\n'
   0.153 C> ... 65 more lines ...
   0.160 S> b'x'
   0.161 C< b'256,1 ...[608 bytes]... ,0x00\r\n'
   0.200 -- C EOF from server
   0.300 -- C shutdown(SHUT_WR)
   0.400 C< b'uvscpd 1.0.0\r\n'
`;
  t.same(told(text), [
    ['', 0, 'note', '-- bad password'],
    ['C', 0.151, 'server', 'uvscpd 1.0.0\r\n'],
    ['C', 0.152, 'client', 'NOOP\r\n'],
    ['C', 0.153, 'note', '... 65 more lines ...'],
    ['S', 0.16, 'client', 'x'],
    ['C', 0.161, 'note', String.raw`b'256,1 ...[608 bytes]... ,0x00\r\n'`],
    ['C', 0.2, 'eof', ''],
    ['C', 0.3, 'note', '-- C shutdown(SHUT_WR)'],
    ['C.2', 0.4, 'server', 'uvscpd 1.0.0\r\n'],
  ]);
  t.end();
});

await t.test('the format with a role', (t) => {
  const text = String.raw`### a title
line of 8000 bytes -> b'+OK'
   0.002 S> b'Welcome to the VSCP tcp/ip server\r\n+OK\r\n'
eol    0.000 --- connect port 19598 eol
R    1.000 C> b'NOOP\r'
R    1.955 S> b'+OK\r\n'
R    1.956 !! send BrokenPipeError(32, 'Broken pipe')
R    1.957 S> <EOF>
`;
  t.same(told(text), [
    ['A', 0.002, 'server', 'Welcome to the VSCP tcp/ip server\r\n+OK\r\n'],
    ['eol', 0, 'note', '--- connect port 19598 eol'],
    ['R', 1, 'client', 'NOOP\r'],
    ['R', 1.955, 'server', '+OK\r\n'],
    ['R', 1.956, 'note', "!! send BrokenPipeError(32, 'Broken pipe')"],
    ['R', 1.957, 'eof', ''],
  ]);
  t.end();
});

await t.test('a reconnect is a connection of its own', (t) => {
  const steps = readTranscript('current-01-session');
  t.same([...new Set(steps.map((step) => step.connection))], ['A', 'A.2', 'A.3', 'A.4', 'A.5']);
  t.equal(String(answers(steps, 'A').get('PASS wrong')), '-OK - Invalid username or password.\r\n');
  t.equal(String(answers(steps, 'A.5').get('PASS wrong')), '+OK - Success.\r\n');
  t.end();
});

await t.test('phrases and greetings', (t) => {
  const steps = readTranscript('uvscpd-login_good');
  t.equal(
    String(greeting(steps)),
    'uvscpd 1.0.0\r\nmaarten@zanders.be\r\n+OK - Success, connected to vcan0\r\n',
  );
  t.equal(String(phrase(steps, '+OK')), '+OK\r\n', 'the whole line wins');
  t.equal(String(phrase(steps, '+OK - b')), '+OK - bye\r\n');
  t.throws(() => phrase(steps, '-OK'), /no recording/);
  t.ok(greeting(readTranscript('vscpd-login_good')).includes(Buffer.from('©')));
  t.end();
});

await t.test('event lines', (t) => {
  const lines = (name: string) => eventLines(readTranscript(name)).map(String);
  t.equal(
    lines('vscpd-rcvloop')[0],
    '256,20,3,2,,1795336886892515000,' +
      'FF:FF:FF:FF:FF:FF:FF:F5:01:00:00:00:00:02:00:00,0x09,0x09,0x09',
  );
  t.equal(
    lines('current-02-send-rcvloop')[0],
    '0,10,6,2,2026-12-22T08:37:42Z,40777072,' +
      'FF:FF:FF:FF:FF:FF:FF:F5:02:88:88:00:00:02:00:00,0x8A,0x00,0xFF',
  );
  t.equal(
    lines('uvscpd-rcvloop')[0],
    '0,20,3,0,2026-11-22T08:30:54,0,FF:FF:FF:FF:FF:FF:FF:FE:0:0:0:0:0:1:0:0,9,9,9',
  );
  t.notOk(
    lines('uvscpd-rcvloop').some((line) => line.startsWith('0,0,0,30')),
    'STAT is no event',
  );
  t.same(lines('vscpd-login_good'), []);
  t.end();
});
