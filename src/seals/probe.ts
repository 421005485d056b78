/**
 * The probe that takes a process's place in its sandbox: Perl, because Node.js cannot make most of the
 * system calls that have to be tried, and Debian's base system has it.
 */
import { constants } from 'node:os';
import { type Architecture, syscallNumber } from '../seal/syscalls.js';
import type { Attempt } from './attempts.js';

const PRELUDE = (architecture: Architecture): string => {
  const number = (name: 'openat' | 'socket' | 'connect' | 'exit_group'): number =>
    syscallNumber(name, architecture)!;
  return `
our $buffer = "\\0" x 4096; our $message = "probe"; our $none = "none"; our $root = "/";
our $zeros = "\\0" x 64; our $lock = pack("s s x4 q q i x4", 1, 0, 0, 0, 0);
our $iov = pack("P Q", $message, 5);
our $header = pack("Q L x4 P Q Q Q l x4", 0, 0, $iov, 1, 0, 0, 0) . "\\0" x 8;
our $nowhere = pack("S n a4 x8", 2, 9, pack("C4", 127, 0, 0, 1));
pipe(our $r, our $w); syswrite($w, "piped"); our $pipe = fileno($r);
open(our $f, "<", $0); our $file = fileno($f);
sub open_file { my ($path, $flags) = @_; return syscall(${number('openat')}, -100, $path, $flags, 0); }
sub create_file { my ($path) = @_; return syscall(${number('openat')}, -100, $path, 0101, 0600); }
sub copy_of { my ($text) = @_; return $text; }
sub start_process { my ($pid) = @_; syscall(${number('exit_group')}, 0) if $pid == 0; return $pid; }
sub reach {
  my ($host, $port) = @_;
  my @part = $host =~ /^(\\d+)\\.(\\d+)\\.(\\d+)\\.(\\d+)$/;
  my $fd = syscall(${number('socket')}, @part ? 2 : 10, 1, 0);
  return -1 if $fd < 0;
  @part = (127, 0, 0, 1) unless @part;
  my $address = pack("S n a4 x8", 2, $port, pack("C4", @part));
  return syscall(${number('connect')}, $fd, $address, 16);
}
sub answer { my ($i, $result) = @_; my $errno = $! + 0;
  syswrite(STDOUT, "$i\\t" . ($result < 0 ? "E$errno" : $result) . "\\n"); }
$SIG{PIPE} = "IGNORE"; $! = 0;
`;
};

/** What Perl is started with; it reads a probe by the name of its process. */
export const LOADER = `my $name = shift; do "/tidegate/probes/$name.pl"; die $@ || $!;\n`;

/**
 * The script: it waits to be looked at, and for SIGUSR1; then it tries one thing after another and
 * says what came of each.
 */
export function writeProbe(attempts: readonly Attempt[], architecture: Architecture): string {
  const lines = attempts.map(({ code }, i) => `answer(${i}, ${code});`);
  return `my $go = 0; $SIG{USR1} = sub { $go = 1 };
syswrite(STDOUT, "ready\\n"); select(undef, undef, undef, 0.01) until $go;
${PRELUDE(architecture)}${lines.join('\n')}
syswrite(STDOUT, "done\\n"); sleep 3600;
`;
}

const ERRORS = new Map(Object.entries(constants.errno).map(([name, value]) => [value, name]));

/** `E1` as EPERM, a number as it is. */
export function nameAnswer(answer: string): string {
  const errno = /^E(\d+)$/.exec(answer)?.[1];
  return errno === undefined ? `ok (${answer})` : (ERRORS.get(Number(errno)) ?? `error ${errno}`);
}
