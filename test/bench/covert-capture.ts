/**
 * What a lower server can see of its connections: every segment, with the kernel's time of it.
 *
 * A packet socket through perl's `socket`, since Node has none; a filter in the kernel keeps the
 * upper side's packets away: to capture them would take processor time in the rhythm of the bits.
 */
import type { ChildProcess } from 'node:child_process';

/** Prints records of RECORD bytes; one of time -1 at the end says how many packets were missed. */
export const CAPTURE = String.raw`
use strict;
my ($port) = @ARGV;
my $done = 0;
$SIG{TERM} = sub { $done = 1 };
# AF_PACKET, SOCK_DGRAM: from the IP header on.
socket(my $s, 17, 2, unpack('S', pack('n', 0x0800))) or die "no packet socket: $!\n";
# Not the copy that leaves; TCP only; this port only.
my @filter = (
  [0x20, 0, 0, 0xfffff004], [0x15, 7, 0, 4], [0x30, 0, 0, 9], [0x15, 0, 5, 6], [0xb1, 0, 0, 0],
  [0x48, 0, 0, 0], [0x15, 3, 0, $port], [0x48, 0, 0, 2], [0x15, 1, 0, $port], [6, 0, 0, 0],
  [6, 0, 0, 120]);
my $program = join '', map { pack 'SCCL', @$_ } @filter;
setsockopt($s, 1, 26, pack('S x6 P', scalar @filter, $program)) or die "no filter: $!\n";
setsockopt($s, 1, 33, pack('i', 64 << 20)) or setsockopt($s, 1, 8, pack('i', 64 << 20));
my $stamp = "\0" x 16;
ioctl($s, 0x8907, $stamp);
my $out = '';
syswrite STDOUT, pack('d< x20', 0);
until ($done) {
  defined recv($s, my $ip, 120, 0) or next;
  ioctl($s, 0x8907, $stamp) or next;
  my ($seconds, $nanoseconds) = unpack 'qq', $stamp;
  my $header = 4 * (ord($ip) & 15);
  my ($from, $to, $sequence, $answer, $offset, $flags, $window) =
    unpack 'nnNNCCn', substr($ip, $header);
  my $options = 4 * ($offset >> 4);
  my $scale = 255;
  for (my $at = $header + 20; $flags & 2 && $at < $header + $options;) {
    my $kind = ord substr($ip, $at, 1);
    $scale = ord substr($ip, $at + 2, 1) if $kind == 3;
    last if $kind == 0;
    $at += $kind == 1 ? 1 : ord(substr($ip, $at + 1, 1)) || last;
  }
  my $length = unpack('n', substr($ip, 2)) - $header - $options;
  my $relay = $to == $port ? $from : $to;
  $out .= pack 'd< n N N C n n C C x3', $seconds + $nanoseconds / 1e9, $relay, $sequence, $answer,
    $flags, $window, $length, $scale, $to == $port;
  if (length $out > 16384) { syswrite STDOUT, $out; $out = '' }
}
my $statistics = "\0" x 8;
my $got = getsockopt($s, 263, 6);
$out .= pack 'd< N x16', -1, $got ? (unpack 'II', $got)[1] : 0;
for (my $at = 0; $at < length $out;) { $at += syswrite(STDOUT, $out, 65536, $at) || last }
`;
const RECORD = 28;

export interface Packet {
  /** ms since 1970, as `now` below. */
  readonly time: number;
  /** The relay's port. */
  readonly port: number;
  readonly sequence: number;
  readonly acknowledged: number;
  readonly flags: number;
  /** As on the wire, not scaled. */
  readonly window: number;
  readonly length: number;
  /** Of a SYN: the shift of its side's windows; 255 if none. */
  readonly scale: number;
  /** From the relay, or to it. */
  readonly up: boolean;
}

/** The clock that all processes of the measurement share, ms since 1970 with fractions. */
export function now(): number {
  return performance.timeOrigin + performance.now();
}

/** Reads the records that `CAPTURE` prints, from its start on. */
export class Capture {
  readonly ready: Promise<void>;
  readonly #process: ChildProcess;
  readonly #chunks: Buffer[] = [];
  readonly #ended: Promise<unknown>;

  constructor(child: ChildProcess) {
    this.#process = child;
    this.#ended = new Promise((resolve) => child.on('close', resolve));
    this.ready = new Promise((resolve, reject) => {
      child.stdout!.on('data', (chunk: Buffer) => {
        this.#chunks.push(chunk);
        resolve();
      });
      child.on('close', () =>
        reject(new Error('the capture ended: it needs perl and CAP_NET_RAW')),
      );
    });
  }

  /** @throws Error if packets were missed */
  async end(): Promise<Packet[]> {
    this.#process.kill('SIGTERM');
    await this.#ended;
    const bytes = Buffer.concat(this.#chunks);
    const packets: Packet[] = [];
    for (let at = RECORD; at + RECORD <= bytes.length; at += RECORD) {
      const seconds = bytes.readDoubleLE(at);
      if (seconds < 0) {
        const missed = bytes.readUInt32BE(at + 8);
        if (missed > 0) throw new Error(`${missed} packets were not captured`);
        return packets;
      }
      packets.push({
        time: seconds * 1000,
        port: bytes.readUInt16BE(at + 8),
        sequence: bytes.readUInt32BE(at + 10),
        acknowledged: bytes.readUInt32BE(at + 14),
        flags: bytes[at + 18]!,
        window: bytes.readUInt16BE(at + 19),
        length: bytes.readUInt16BE(at + 21),
        scale: bytes[at + 23]!,
        up: bytes[at + 24] === 1,
      });
    }
    throw new Error('the capture was cut short');
  }
}
