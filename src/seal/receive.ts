/**
 * Takes a connection that lower or dial has sent, and becomes the worker's sandbox with it as descriptor 0.
 *
 * Who receives descriptors gets whatever the sender likes: Node.js aborts at one that it does not know.
 * So this is done by a few lines of Perl that can do nothing else, under the worker's user.
 */
import { isIP } from 'node:net';
import { EXIT } from '../wire/exit.js';
import { FD } from '../wire/fd.js';
import { numberMark } from '../wire/handover.js';
import { type Architecture, type Syscall, syscallNumber } from './syscalls.js';

export const PERL = '/usr/bin/perl';

/** Messages of earlier connections, whose workers could not be started, before the one in question. */
const MOST = 16;

// recvmsg(2), send(2)
const MSG_DONTWAIT = 0x40;
const MSG_NOSIGNAL = 0x4000;
const MSG_CMSG_CLOEXEC = 0x4000_0000;
const hexOf = (value: number): string => `0x${value.toString(16)}`;

// unix(7), socket(7), cmsg(3): SOL_SOCKET, SCM_RIGHTS, SO_*, and what a TCP connection has. There is room
// for one descriptor: the kernel closes what is beyond, and closes what is not descriptor 0 at exec.
const script = (number: (name: Syscall) => number): string => `
my ($mark, $server, @command) = @ARGV;
my $channel = ${FD.handles};
sub option { my ($fd, $name) = @_; my $value = pack("l", -1); my $size = pack("L", 4);
  return syscall(${number('getsockopt')}, $fd, 1, $name, $value, $size) == 0 ? unpack("l", $value) : -1; }
sub tcp { my ($fd) = @_; my $family = option($fd, 39);
  return option($fd, 3) == 1 && ($family == 2 || $family == 10) && option($fd, 38) == 6
    && option($fd, 30) == 0; }
sub peer { my ($fd) = @_; my $name = ""; vec($name, 127, 8) = 0; my $size = pack("L", 128);
  return "" if syscall(${number('getpeername')}, $fd, $name, $size) != 0;
  my ($family, $number) = unpack("S n", $name);
  return "$number/" . unpack("H*", $family == 2 ? substr($name, 4, 4) : substr($name, 8, 16)); }
for (1 .. ${MOST}) {
  my $data = ""; vec($data, 4095, 8) = 0;
  my $control = ""; vec($control, 19, 8) = 0;
  my $vector = pack("P Q", $data, 4096);
  my $header = pack("Q L x4 P Q P Q l x4", 0, 0, $vector, 1, $control, 20, 0);
  my $length = syscall(${number('recvmsg')}, $channel, $header, ${hexOf(MSG_DONTWAIT | MSG_CMSG_CLOEXEC)});
  exit 1 if $length <= 0;
  my ($size, $level, $type, $fd) = unpack("Q l l l", $control);
  next if unpack("x40 Q", $header) < 20 || $size != 20 || $level != 1 || $type != 1;
  if (index(substr($data, 0, $length), $mark) < 0) { syscall(${number('close')}, $fd); next; }
  my $answer = "{\\"cmd\\":\\"NODE_HANDLE_ACK\\"}\\n";
  syscall(${number('sendto')}, $channel, $answer, length $answer, ${hexOf(MSG_DONTWAIT | MSG_NOSIGNAL)}, 0, 0);
  exit ${EXIT.failure} unless tcp($fd);
  my $peer = peer($fd);
  exit ${EXIT.reset} if $peer eq "";
  exit ${EXIT.failure} unless $peer eq $server || ($server =~ m{/$} && index($peer, $server) == 0);
  exit 1 if syscall(${number('dup3')}, $fd, 0, 0) != 0;
  syscall(${number('close')}, $fd);
  syscall(${number('close')}, $channel);
  exec { $command[0] } @command;
  exit 1;
}
exit 1;
`;

/** The server that a connection must be with: a port, and an address unless it is known by name. */
export interface Peer {
  readonly host: string;
  readonly port: number;
}

/** As the receiver sees it: `PORT/` and the address in hexadecimal digits, as far as it is known. */
export function describePeer({ host, port }: Peer): string {
  const family = isIP(host);
  if (family === 0) return `${port}/`;
  if (family === 4) return `${port}/${hex(host.split('.').map(Number))}`;
  return `${port}/${hex(parseAddress6(host))}`;
}

const hex = (bytes: readonly number[]): string => Buffer.from(bytes).toString('hex');

/** RFC 4291 section 2.2; `isIP` has said that it is one. */
function parseAddress6(text: string): number[] {
  const [address] = text.split('%') as [string];
  const url = new URL(`http://[${address}]/`).hostname.slice(1, -1);
  const [head, tail] = url.split('::');
  const groups = (part: string | undefined): string[] => (part ? part.split(':') : []);
  const before = groups(head);
  const after = groups(tail);
  const zeros = Array.from({ length: 8 - before.length - after.length }, () => '0');
  return [...before, ...zeros, ...after].flatMap((group) => {
    const value = Number.parseInt(group, 16);
    return [value >> 8, value & 0xff];
  });
}

/** The command line that receives connection `number` with `peer` and goes on as `command`. */
export function receiver(
  architecture: Architecture,
  { number: connection, peer }: { readonly number: number; readonly peer: Peer },
  command: readonly string[],
): [string, ...string[]] {
  const text = script((name) => syscallNumber(name, architecture)!);
  return [PERL, '-e', text, '--', numberMark(connection), describePeer(peer), ...command];
}
