# A client that may be hostile: does what its arguments say to ADDRESS PORT, one result a line.
use strict;
use Errno;
use Socket qw(:all);
use Time::HiRes qw(time);

$| = 1;
$SIG{PIPE} = 'IGNORE';
my ($address, $port, @steps) = @ARGV;
my $six = $address =~ /:/;
my $family = $six ? AF_INET6 : AF_INET;
my $to = $six ? pack_sockaddr_in6($port, inet_pton(AF_INET6, $address))
              : pack_sockaddr_in($port, inet_aton($address));
my ($socket, $kind);
my $buffer = '';

sub result { print join(' ', @_), "\n" }

sub ready {
  my ($writing, $seconds) = @_;
  my $bits = '';
  vec($bits, fileno($socket), 1) = 1;
  return $writing ? select(undef, $bits, undef, $seconds) : select($bits, undef, undef, $seconds);
}

sub make {
  ($kind) = @_;
  socket($socket, $family, $kind, 0) or die "socket: $!";
  $socket->blocking(0);
}

my %do = (
  # fsuid of the maker counts: root makes a socket as somebody else.
  euid => sub { $> = $_[0]; die "euid: $!" if $> != $_[0] },
  uid => sub { $> = 0; $< = $_[0]; $> = $_[0]; die "uid: $!" if $< != $_[0] || $> != $_[0] },
  tcp => sub { make(SOCK_STREAM) },
  option => sub { setsockopt($socket, IPPROTO_IP, 4, "\x01\x01\x01\x00") or die "IP_OPTIONS: $!" },
  reset => sub { setsockopt($socket, SOL_SOCKET, SO_LINGER, pack('ii', 1, 0)) },
  bind => sub {
    setsockopt($socket, SOL_SOCKET, SO_REUSEADDR, 1);
    bind($socket, $six ? pack_sockaddr_in6($_[0], IN6ADDR_ANY) : pack_sockaddr_in($_[0], INADDR_ANY))
      or die "bind: $!";
  },
  connect => sub {
    make(SOCK_STREAM) unless $socket;
    my $done = connect($socket, $to);
    if (!$done && $!{EINPROGRESS} && ready(1, $_[0] || 0.5)) {
      $done = unpack('i', getsockopt($socket, SOL_SOCKET, SO_ERROR)) == 0;
    }
    result('connect', $done ? 'yes' : 'no');
  },
  # connect with data in the SYN
  fast => sub {
    make(SOCK_STREAM);
    send($socket, pack('H*', $_[0]), 0x20000000, $to);
    result('connect', ready(1, 0.5) ? 'yes' : 'no');
  },
  udp => sub {
    make(SOCK_DGRAM);
    result('udp', defined(send($socket, 'x', 0, $to)) ? 'yes' : 'no');
  },
  say => sub { syswrite($socket, pack('H*', $_[0])) },
  flood => sub { syswrite($socket, 'x' x $_[0]) },
  urgent => sub { send($socket, pack('H*', $_[0]), MSG_OOB) },
  # one answer, a line
  answer => sub {
    my $end = time + ($_[0] || 2);
    while ($buffer !~ s/^[^\n]*\n//) {
      if (time >= $end || !ready(0, 0.5)) { next if time < $end; return result('answer', 'no') }
      return result('answer', 'no') unless sysread($socket, $buffer, 4096, length $buffer);
    }
    result('answer', 'yes');
  },
  # a line said over and over, as long as it is answered
  insist => sub {
    my ($most, $hex) = @_;
    my $count = 0;
    while ($count < $most) {
      syswrite($socket, pack('H*', $hex));
      last unless ready(0, 0.6) && sysread($socket, $buffer, 4096);
      $count++;
    }
    $buffer = '';
    result('insist', $count);
  },
  drain => sub {
    my $left = $_[0] - length $buffer;
    $buffer = '';
    while ($left > 0 && ready(0, 2)) {
      my $got = sysread($socket, my $part, 65536);
      last unless $got;
      $left -= $got;
    }
    result('drain', $left <= 0 ? 'yes' : "$left missing");
  },
  sleep => sub { select(undef, undef, undef, $_[0]) },
  close => sub { close($socket); undef $socket; $buffer = '' },
  listen => sub {
    make(SOCK_STREAM);
    setsockopt($socket, SOL_SOCKET, SO_REUSEADDR, 1);
    bind($socket, pack_sockaddr_in($_[0], INADDR_ANY)) or die "bind: $!";
    listen($socket, 5);
    result('listen', 'yes');
    result('accept', ready(0, 2) && accept(my $other, $socket) ? 'yes' : 'no');
    select(undef, undef, undef, 0.5);
  },
);

for my $step (@steps) {
  my ($name, @arguments) = split /:/, $step;
  die "no step $name" unless $do{$name};
  $do{$name}->(@arguments);
}

# What is unsent goes with the socket: the kernel sends it no more.
setsockopt($socket, SOL_SOCKET, SO_LINGER, pack('ii', 1, 0)) if $socket && $kind == SOCK_STREAM;
