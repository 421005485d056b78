/** The receiver alone, at a real socketpair whose other end sends what it likes. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { type AddressInfo, BlockList, createServer, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import fc from 'fast-check';
import t, { type Test } from 'tap';
import { architecture } from '../../src/seal/available.js';
import { describePeer, type Peer, PERL, receiver } from '../../src/seal/receive.js';
import { EXIT } from '../../src/wire/exit.js';
import { FD } from '../../src/wire/fd.js';

const arch = architecture() ?? 'x64';
const SENDMSG = { x64: 46, arm64: 211 }[arch];
const ANSWER = '{"cmd":"NODE_HANDLE_ACK"}\n';

/**
 * Sends `KIND,KIND:TEXT` pieces, one sendmsg(2) each, by descriptor 3, says so, and says what comes
 * back. A kind is what a descriptor is of; text is in hexadecimal digits.
 */
const SENDER = `
use Socket qw(:DEFAULT inet_pton pack_sockaddr_in6);
my ($sendmsg, $linger, @pieces) = @ARGV;
my @kept;
sub keep { push @kept, $_[0]; return fileno $_[0]; }
sub tcp { my ($port) = @_; socket(my $s, PF_INET, SOCK_STREAM, 0); 
  connect($s, sockaddr_in($port, INADDR_LOOPBACK)) or die "connect: $!"; return keep($s); }
sub tcp6 { my ($port, $address) = @_; socket(my $s, PF_INET6, SOCK_STREAM, 0);
  connect($s, pack_sockaddr_in6($port, inet_pton(AF_INET6, $address))) or die "connect: $!"; return keep($s); }
my %kinds = (
  tcp => \\&tcp,
  tcp6 => \\&tcp6,
  reset => sub { my $fd = tcp(@_); my $set = ""; vec($set, $fd, 1) = 1; select($set, undef, undef, 5); return $fd; },
  dead => sub { socket(my $s, PF_INET, SOCK_STREAM, 0); keep($s) },
  listen => sub { socket(my $s, PF_INET, SOCK_STREAM, 0); bind($s, sockaddr_in(0, INADDR_LOOPBACK));
    listen($s, 5) or die; keep($s) },
  here6 => sub { my ($port, $address) = @_; socket(my $s, PF_INET6, SOCK_STREAM, 0);
    bind($s, pack_sockaddr_in6($port, inet_pton(AF_INET6, $address))) or die "bind: $!"; listen($s, 5); keep($s);
    return tcp6($port, $address) },
  udp => sub { socket(my $s, PF_INET, SOCK_DGRAM, 0); connect($s, sockaddr_in($_[0], INADDR_LOOPBACK)); keep($s) },
  unix => sub { socketpair(my $s, my $o, AF_UNIX, SOCK_STREAM, 0); keep($o); keep($s) },
  file => sub { open(my $f, "<", "/etc/passwd"); keep($f) },
  pipe => sub { pipe(my $r, my $w); keep($w); keep($r) },
  self => sub { 3 },
);
for (@pieces) {
  my ($names, $text) = /^(.*):(.*)/;
  my @fds = map { my ($kind, @rest) = split /=/; $kinds{$kind}->(@rest) } split /,/, $names;
  my $data = pack("H*", $text);
  my $control = @fds ? pack("Q l l l*", 16 + 4 * @fds, 1, 1, @fds) : "";
  $control .= "\\0" x (-length($control) % 8);
  my $vector = pack("P Q", $data, length $data);
  my $header = @fds
    ? pack("Q L x4 P Q P Q l x4", 0, 0, $vector, 1, $control, length($control), 0)
    : pack("Q L x4 P Q Q Q l x4", 0, 0, $vector, 1, 0, 0, 0);
  # Not waiting: who pours more than there is room for has poured enough.
  syscall($sendmsg, 3, $header, 0x40) >= 0 or die "sendmsg: $!";
}
$| = 1;
print "sent\\n";
exit if !$linger;
open(my $channel, "+<&=3");
while (sysread($channel, my $bytes, 4096)) { print $bytes }
`;

/** In the worker's place: what it has, and what its connection says. */
const WORKER = `
opendir(my $d, "/proc/self/fd"); my @open = readdir $d; closedir $d;
my @fds = sort { $a <=> $b } grep { /^\\d/ && defined readlink "/proc/self/fd/$_" } @open;
sysread(STDIN, my $text, 100);
$| = 1;
print "@fds @ARGV $SIG{PIPE}\\n$text";
`;

interface Piece {
  /** Kinds, of all that go with one message. */
  readonly with?: readonly string[];
  readonly text: string;
}

const message = (number: number): string =>
  `{"cmd":"NODE_HANDLE","type":"net.Native","msg":{"connection":${number}}}\n`;

interface Options {
  readonly number?: number;
  readonly peer?: Peer;
  /** The sender dies when it has sent. */
  readonly dies?: boolean;
  /** Put before the sender's command line. */
  readonly before?: readonly string[];
}

interface Received {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** What the worker has said; empty if there was none. */
  readonly output: string;
  readonly answers: string;
}

const collect = ({ stdout }: ChildProcess): (() => string) => {
  let text = '';
  stdout!.setEncoding('latin1').on('data', (chunk: string) => (text += chunk));
  return () => text;
};

class Bench {
  readonly port: number;
  /** Takes connections and resets them. */
  readonly resetting: number;
  /** Another server. */
  readonly other: number;
  readonly heard: Record<string, string>;

  private constructor(ports: readonly number[], heard: Record<string, string>) {
    [this.port, this.resetting, this.other] = ports as [number, number, number];
    this.heard = heard;
  }

  static async start(t: Test): Promise<Bench> {
    const heard: Record<string, string> = {};
    const listen = async (name: string, taken: (socket: Socket) => void): Promise<number> => {
      const sockets = new Set<Socket>();
      const server = createServer((socket) => {
        sockets.add(socket.on('error', () => undefined));
        socket.on('data', (chunk) => (heard[name] = (heard[name] ?? '') + chunk.toString()));
        taken(socket);
      }).listen(0, '::');
      await once(server, 'listening');
      t.teardown(() => {
        for (const socket of sockets) socket.destroy();
        server.close();
      });
      return (server.address() as AddressInfo).port;
    };
    const ports = await Promise.all([
      listen('server', (socket) => socket.write('hello\n')),
      listen('resetting', (socket) => socket.resetAndDestroy()),
      listen('other', (socket) => socket.write('another\n')),
    ]);
    return new Bench(ports, heard);
  }

  /** Has `pieces` sent, then lets as many workers be started as there are options. */
  async hand(pieces: readonly Piece[], ...all: readonly Options[]): Promise<Received[]> {
    const { dies = false, before = [] } = all[0] ?? {};
    const words = pieces.map(
      ({ with: kinds = [], text }) =>
        `${kinds.join(',')}:${Buffer.from(text, 'latin1').toString('hex')}`,
    );
    const command = [...before, PERL, '-e', SENDER, String(SENDMSG), dies ? '' : '1', ...words];
    const stdio = ['ignore', 'pipe', 'inherit', 'pipe'] as const;
    const sender = spawn(command[0]!, command.slice(1), { stdio: [...stdio] });
    const channel = sender.stdio[3] as Socket;
    const raw = (channel as unknown as { _handle: { reading: boolean; readStop(): void } })._handle;
    raw.reading = false;
    raw.readStop();
    const said = collect(sender);
    const [exited, closed] = [once(sender, 'exit'), once(sender, 'close')];
    while (!said().startsWith('sent\n') && sender.exitCode === null) await sleep(2);
    if (dies) await exited;
    const workers: Omit<Received, 'answers'>[] = [];
    for (const options of all.length > 0 ? all : [{}]) {
      workers.push(await this.#receive(channel, options));
    }
    // The sender hears the end, behind all answers.
    channel.destroy();
    await closed;
    const answers = said().replace('sent\n', '');
    return workers.map((worker) => ({ ...worker, answers }));
  }

  async #receive(
    channel: Socket,
    { number = 1, peer }: Options,
  ): Promise<Omit<Received, 'answers'>> {
    const at = { number, peer: peer ?? { host: '127.0.0.1', port: this.port } };
    const [file, ...args] = receiver(arch, at, [PERL, '-e', WORKER, '--', 'a b', '']);
    const stdio: unknown[] = Array.from({ length: FD.handles + 1 }, () => 'ignore');
    stdio[1] = 'pipe';
    stdio[2] = 'inherit';
    stdio[FD.handles] = channel;
    const worker = spawn(file, args, { stdio: stdio as 'pipe'[], env: {}, timeout: 10_000 });
    const output = collect(worker);
    const [code, signal] = (await once(worker, 'close')) as [number | null, NodeJS.Signals | null];
    return { code, signal, output: output() };
  }
}

/** What this process itself has inherited comes on top of a worker's three. */
const LISTED = spawnSync(PERL, ['-e', WORKER], { stdio: ['ignore', 'pipe', 'inherit'], env: {} });
const OPEN = LISTED.stdout.toString().trim();

const taken = (greeting = 'hello'): Partial<Received> => ({
  code: 0,
  signal: null,
  // Its connection, its output and its log, and nothing more.
  output: `${OPEN} a b  \n${greeting}\n`,
  answers: ANSWER,
});
const ended = (code: number, answers = ''): Received => ({
  ...{ code, signal: null, output: '', answers },
});

const right: Piece = { with: [], text: message(1) };
const withKind = (...kinds: string[]): Piece => ({ ...right, with: kinds });

await t.test(
  'a connection becomes descriptor 0 of the command, and there is no other',
  async (t) => {
    const bench = await Bench.start(t);
    const tcp = withKind(`tcp=${bench.port}`);
    t.match(await bench.hand([tcp]), [taken()], 'by its address');
    const { port } = bench;
    const byName = { peer: { host: 'a.server.example', port } };
    t.match(await bench.hand([tcp], byName), [taken()], 'by a name');
    const six = withKind(`tcp6=${port}=::1`);
    t.match(await bench.hand([six], { peer: { host: '::1', port } }), [taken()], 'by IPv6');
    t.match(await bench.hand([six], byName), [taken()], 'by IPv6 and a name');
    const mapped = withKind(`tcp6=${port}=::ffff:127.0.0.1`);
    const peer = { host: '::FFFF:127.0.0.1', port };
    t.match(await bench.hand([mapped], { peer }), [taken()], 'an IPv4 address as one of IPv6');
    t.match(
      await bench.hand([tcp], { dies: true }),
      [{ ...taken(), answers: '' }],
      'from the dead',
    );
    t.strictSame(bench.heard, {}, 'nobody has said anything');
  },
);

await t.test('one connection after another', async (t) => {
  const bench = await Bench.start(t);
  const { port } = bench;
  const pieces = [1, 2, 3].map((n) => ({ with: [`tcp=${port}`], text: message(n) }));
  const found = await bench.hand(pieces, { number: 1 }, { number: 2 }, { number: 3 });
  t.match(
    found,
    [1, 2, 3].map(() => ({ ...taken(), answers: ANSWER.repeat(3) })),
  );
});

await t.test('what was sent before, and taken by nobody, is passed over and closed', async (t) => {
  const bench = await Bench.start(t);
  const own = `tcp=${bench.port}`;
  const stale = ['file', 'unix', `tcp=${bench.other}`, 'self', own, 'pipe', 'udp=9'];
  const pieces = [
    ...stale.map((kind, i) => ({ with: [kind], text: message(i + 1) })),
    // Without a message, and messages without a descriptor.
    { with: [own], text: ' ' },
    { text: message(8) },
    { with: [own], text: message(8) },
  ];
  t.match(await bench.hand(pieces, { number: 8 }), [taken()]);
  t.match(
    await bench.hand([{ with: [own], text: message(11) }, withKind(own)], {}),
    [taken()],
    'number 11 is not number 1',
  );
});

await t.test('several descriptors at once bring the worker no more than one', async (t) => {
  const bench = await Bench.start(t);
  const own = `tcp=${bench.port}`;
  for (const [kinds, more] of [
    [[own, own], []],
    [[own, `tcp=${bench.other}`], []],
    [['file', own], []],
    [['file', 'pipe', 'unix', 'self', own], []],
    [[own, own], [withKind(own)]],
    [['file', 'pipe'], [withKind(own)]],
    [Array.from({ length: 200 }, () => 'self'), [withKind(own)]],
  ] as const) {
    const [found] = await bench.hand([withKind(...kinds), ...more]);
    if (found!.code === 0) t.match(found, taken());
    else t.match(found, { output: '', signal: null }, `exit ${found!.code!}`);
  }
});

await t.test('what is no connection with the server ends the worker', async (t) => {
  const bench = await Bench.start(t);
  const { port } = bench;
  for (const [kind, code] of [
    ['file', EXIT.failure],
    ['pipe', EXIT.failure],
    ['unix', EXIT.failure],
    ['self', EXIT.failure],
    ['listen', EXIT.failure],
    [`udp=${port}`, EXIT.failure],
    [`tcp=${bench.other}`, EXIT.failure],
    [`tcp6=${port}=::1`, EXIT.failure],
    [`tcp6=${port}=::ffff:127.0.0.1`, EXIT.failure],
    ['dead', EXIT.reset],
    [`reset=${bench.resetting}`, EXIT.reset],
  ] as const) {
    const [found] = await bench.hand([withKind(kind), withKind(`tcp=${port}`)]);
    t.strictSame(found, ended(code, ANSWER), kind);
  }
  for (const peer of [
    { host: '127.0.0.2', port },
    { host: '::1', port },
    { host: '127.0.0.1', port: Math.floor(port / 10) },
    { host: 'a.server.example', port: bench.other },
  ]) {
    const [found] = await bench.hand([withKind(`tcp=${port}`)], { peer });
    t.strictSame(found, ended(EXIT.failure, ANSWER), JSON.stringify(peer));
  }
  t.strictSame(bench.heard, {}, 'nobody has said anything');
});

await t.test('no connection, no worker', async (t) => {
  const bench = await Bench.start(t);
  const own = `tcp=${bench.port}`;
  for (const [what, pieces] of [
    ['nothing', []],
    ['no descriptor', [right]],
    ['another number', [{ with: [own], text: message(2) }]],
    ['text', [{ text: 'x'.repeat(60_000) }]],
    ['blanks with descriptors', Array.from({ length: 40 }, () => ({ with: [own], text: ' ' }))],
    ['a number behind the end', [{ with: [own], text: `${' '.repeat(4096)}${message(1)}` }]],
  ] as const) {
    t.strictSame(await bench.hand(pieces), [ended(1)], what);
    t.strictSame(await bench.hand(pieces, { dies: true }), [ended(1)], `${what}, and it dies`);
  }
});

await t.test('a message behind text is found, one at a time', async (t) => {
  const bench = await Bench.start(t);
  const tcp = withKind(`tcp=${bench.port}`);
  for (const text of ['\n', message(7), '\0'.repeat(100), 'x'.repeat(4096), 'x'.repeat(12_288)]) {
    t.match(await bench.hand([{ text }, tcp]), [taken()], `${text.length} bytes before it`);
  }
});

await t.test('an address of IPv6 that begins as the one of IPv4', async (t) => {
  const script = 'ip link set lo up && ip addr add 7f00:1::1/128 dev lo nodad && exec "$@"';
  const before = ['unshare', '--net', 'sh', '-c', script, 'sh'];
  if (spawnSync(before[0]!, [...before.slice(1), 'true']).status !== 0) {
    if (process.env['TIDEGATE_REQUIRE_ALL'] === '1') t.fail('no network namespaces here');
    t.plan(0, 'needs iproute2 and the right to make network namespaces');
    return;
  }
  const bench = await Bench.start(t);
  const peer = { host: '127.0.0.1', port: 9598 };
  const [found] = await bench.hand([withKind('here6=9598=7f00:1::1')], { peer, before });
  t.strictSame(found, ended(EXIT.failure, ANSWER));
});

/** The digits of an address in a description. */
const digits = (host: string): string =>
  /^1234\/([0-9a-f]*)\/?$/.exec(describePeer({ host, port: 1234 }))![1]!;

await t.test('addresses are described as the kernel has them', (t) => {
  const byte = fc.integer({ min: 0, max: 255 });
  fc.assert(
    fc.property(fc.array(byte, { minLength: 4, maxLength: 4 }), (bytes) => {
      return digits(bytes.join('.')) === Buffer.from(bytes).toString('hex');
    }),
  );
  fc.assert(
    fc.property(fc.ipV6(), (host) => {
      const found = digits(host);
      if (!/^[0-9a-f]{32}$/.test(found)) return false;
      // The same address to Node.js, in all of its groups.
      const list = new BlockList();
      list.addAddress(found.match(/.{4}/g)!.join(':'), 'ipv6');
      return list.check(host, 'ipv6');
    }),
    { numRuns: 1000 },
  );
  for (const [host, expected] of [
    ['::', '0'.repeat(32)],
    ['::1', `${'0'.repeat(31)}1`],
    ['1::', `0001${'0'.repeat(28)}`],
    ['2001:DB8::a:0:0:1', '20010db800000000000a000000000001'],
    ['fe80::1%eth0', `fe80${'0'.repeat(27)}1`],
    ['::ffff:192.0.2.1', `${'0'.repeat(20)}ffffc0000201`],
    ['1:2:3:4:5:6:7:8', '00010002000300040005000600070008'],
    ['1:0:0:4::', `0001000000000004${'0'.repeat(16)}`],
    ['a.server.example', ''],
    ['1234', ''],
    ['localhost', ''],
  ] as const) {
    t.equal(digits(host), expected, host);
  }
  t.end();
});
