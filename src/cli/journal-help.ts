/** What `tidegate journal` and its commands say with --help. */

export const JOURNAL_HELP = `tidegate journal - look at what has gone out, and whether it is whole

Usage: tidegate journal COMMAND (-c FILE | DIR) [CHANNEL] [OPTIONS]

  ls       channels, lanes and segments, and how far each upper has come
  cat      the events of a channel, in order
  verify   check every byte of every segment

They read files, and take no lock: a relay that runs is not disturbed. With a configuration they
find its state; with DIR they need none: state/journal, one channel of it, or a copy of either.

Exit codes: 0 done, 1 it failed or found damage, 2 the command line is wrong.

Examples:
  tidegate journal ls -c /etc/tidegate/tidegate.yaml
  tidegate journal cat -c /etc/tidegate/tidegate.yaml public --follow
  tidegate journal verify /mnt/copy/journal`;

const WHERE = `  -c, --config FILE   the configuration; default ./tidegate.yaml if no DIR is given
  DIR                 state/journal, one channel of it, or a copy of either`;

export const JOURNAL_LS_HELP = `tidegate journal ls - what there is of journals

Usage: tidegate journal ls [-c FILE | DIR] [CHANNEL] [--json]

A line a segment: its epoch, which grows with each start of the gate; the sequences of its first
and last committed record; how many there are; bytes up to the last mark, and bytes of the file:
the newest segment has room taken ahead. A mark commits all before it; the last one has the time.
With a configuration, how far each upper has come in each lane, and how much it has not sent yet.

${WHERE}
  --json              one JSON object
  -h, --help          this text

Examples:
  tidegate journal ls -c /etc/tidegate/tidegate.yaml
  tidegate journal ls state/journal public --json`;

export const JOURNAL_CAT_HELP = `tidegate journal cat - the events of a channel

Usage: tidegate journal cat [-c FILE | DIR] [CHANNEL] [--lane routine|urgent]
         [--from SEQUENCE] [--to SEQUENCE] [--since TIME] [--until TIME] [--follow]
         [--json | --vscp]

Prints what is committed, oldest first, an event a line: sequence, lane, time of the mark that
commits it, source, rule, class, type, and the event as VSCP servers write it:
head,class,type,obid,datetime,timestamp,GUID,data... Each lane has sequences of its own; without
--lane both are shown in the order in which they were made.

${WHERE}
  CHANNEL             may be left out where there is one
  --lane LANE         routine or urgent
  --from SEQUENCE     the first one; of both lanes: of the routine one, and what is urgent between
  --to SEQUENCE       the last one
  --since TIME        of the gate's clock, as 2026-06-01T12:00:07Z
  --until TIME
  -f, --follow        wait for more; Ctrl-C ends it
  --json              a JSON object a line
  --vscp              the event alone
  -h, --help          this text

Exit codes: 0 done; 1 something could not be read, or is missing between others; 2 the command line
is wrong.

Examples:
  tidegate journal cat -c /etc/tidegate/tidegate.yaml public --follow
  tidegate journal cat state/journal public --since 2026-06-01T12:00:00Z | head
  tidegate journal cat state/journal/public --vscp | tidegate policy explain new.yaml --brief`;

export const JOURNAL_VERIFY_HELP = `tidegate journal verify - whether journals are as they were written

Usage: tidegate journal verify [-c FILE | DIR] [CHANNEL] [--json]

Reads every byte: headers, checksums, sequences without gaps within and across segments; that marks
go forward, that no counter goes down, that the sums hold (in = permitted + denied + malformed +
lost of each source; permitted = emitted + absorbed + open + withheld of each channel, and what is
emitted is journalled); and that the lanes agree on how far each had come at every batch.

  damage   what was committed is not as it was written; exit code 1
  note     what a kill, a power cut or a copy explains: records without a mark at the end, ...

What is cut off the end cannot always be told from a copy that was made earlier: with a
configuration, records of which another lane speaks are damage if they are not there; with DIR, a
note. A checksum is no signature: it finds what decays, not who forges with care.

${WHERE}
  --json              one JSON object: lanes, findings, damage, notes
  -h, --help          this text

Exit codes: 0 whole, 1 damage, or it could not be read, 2 the command line is wrong.

Examples:
  sudo npx tidegate journal verify -c /etc/tidegate/tidegate.yaml
  npx tidegate journal verify /mnt/copy/journal --json`;
