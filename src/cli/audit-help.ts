/** What `tidegate audit` and its commands say with --help. */

export const AUDIT_HELP = `tidegate audit - what the relay has decided, and proof of it

Usage: tidegate audit COMMAND (-c FILE | DIR) [OPTIONS]

  verify       check a whole log: signature, every leaf, sequences, sums, starts, silence
  show         the decisions, a line each
  prove        write a proof of one decision, a file of its own
  check-proof  check such a file; needs nothing but the file and the public key
  reconcile    compare what was forwarded with what an upper has received
  beacons      what the relay's beacons among received events say; needs no log

They read files, and take no lock: a relay that runs is not disturbed, and a copy will do. With a
configuration they find its log; with DIR they need none: state/audit, or a copy of it.
The log's public key is one line, NAME+ID+BASE64; the relay writes it to state/audit/key.pub. Take
it from somebody you trust, when the relay is set up: a key that comes with a log proves nothing.

Exit codes: 0 done, 1 it failed or found a fault, 2 the command line is wrong.

Examples:
  tidegate audit verify state/audit --key key.pub
  tidegate audit show state/audit --since 2026-06-01T12:00:00Z --kind policies
  tidegate audit prove 4711 state/audit --journal public -o proof.json`;

const WHERE = `  -c, --config FILE   the configuration; default ./tidegate.yaml if no DIR is given
  DIR                 state/audit, or a copy of it`;

const KEY = `  --key PUBLIC        the log's public key, or a file that holds it; may be given again`;

export const AUDIT_VERIFY_HELP = `tidegate audit verify - whether a log is what the relay has signed

Usage: tidegate audit verify [-c FILE | DIR] --key PUBLIC [--since CHECKPOINT]
         [--witness FILE] [--signer PUBLIC [--threshold N]] [--journal DIR] [--allow-gaps]
         [--begins-late] [--json]

Reads every leaf and derives the root from them alone; the checkpoint must sign that root, and the
tiles must be those of the leaves. Then each leaf is judged: sequences of every journal without gap
or repetition, the sums of every source and channel, one start after the other, time that goes on,
a leaf a minute while a gate runs, policies with their signers, keys that vouch for the next one.

${WHERE}
${KEY}
  --since CHECKPOINT  an older checkpoint, as a file: the log must continue it, and of its leaves
                      only what is wrong from there on is said
  --witness FILE      what others have noted of the log, a line each: SIZE ROOT, JSON with size and
                      root, or whole checkpoints; each must be true of the log
  --signer PUBLIC     policies must be signed by this key, or keys of a file; may be given again.
                      Without it, they are compared with the keys that the log itself names
  --threshold N       by so many of them; default all. Keys of one name are one signer
  --journal DIR       state/journal, or a channel of it, of the same moment as the log: it must hold
                      what the log commits to, but for the oldest that expired, and nothing else
  --allow-gaps        times without a leaf are told, and are no fault
  --begins-late       so is a log that begins where journals held records already: verify the one
                      before it too
  --json              one JSON object
  -h, --help          this text

Exit codes: 0 no fault, 1 a fault, or it could not be read, 2 the command line is wrong.

Examples:
  tidegate audit verify state/audit --key key.pub
  tidegate audit verify /mnt/copy/audit --key key.pub --since checkpoint-of-may --json
  tidegate audit verify state/audit --key key.pub --witness beacons.jsonl --signer signers.pub`;

export const AUDIT_SHOW_HELP = `tidegate audit show - the decisions of a log

Usage: tidegate audit show [-c FILE | DIR] [--since TIME] [--until TIME] [--kind KIND]
         [--rule RULE] [--source SOURCE] [--json]

A line for each thing that a leaf says, oldest first: index of the leaf, time, kind; of what was
forwarded: journal, sequences, source, rule, class and type as sent. What was sent is not in the
log: see tidegate journal cat. It verifies nothing: see tidegate audit verify.

${WHERE}
  --since TIME        as 2026-06-01T12:00:07Z
  --until TIME
  --kind KIND         start, stop, policies, refused, batch, denials, loss, heartbeat, clock, key,
                      void or state; may be given again
  --rule RULE         forwarded or denied by this rule
  --source SOURCE     of this lower server
  --json              a JSON object a line
  -h, --help          this text

Examples:
  tidegate audit show state/audit --kind start --kind stop --kind policies
  tidegate audit show -c tidegate.yaml --rule public-temperature/temperature | tail`;

export const AUDIT_PROVE_HELP = `tidegate audit prove - a proof of one decision

Usage: tidegate audit prove SEQUENCE [-c FILE | DIR] --journal CHANNEL[/urgent] [-o FILE]
         [--open DIR]

Writes a file that proves to whoever has the log's public key that the relay has forwarded this
record: when, from which source, by which rule of which policies, as which class and type.
What it held is shown with --open only, together with all records that were forwarded to the
channel in the same batch: look at the file before you hand it on.

${WHERE}
  SEQUENCE            of the record, as tidegate journal cat and audit show have it
  --journal NAME      the channel; with /urgent behind it, its urgent lane
  -o, --out FILE      instead of standard output
  --open DIR          state/journal: the content is proved as well
  -h, --help          this text

Examples:
  tidegate audit prove 4711 state/audit --journal public -o proof.json
  tidegate audit prove 4711 -c tidegate.yaml --journal public --open state/journal -o proof.json`;

export const AUDIT_CHECK_PROOF_HELP = `tidegate audit check-proof - check a proof of one decision

Usage: tidegate audit check-proof FILE --key PUBLIC [--json]

Says what the file proves, if it proves anything. Whether the log has taken the record back since,
as it does with what a disk has refused to keep, only the log can say.

${KEY}
  --json              one JSON object
  -h, --help          this text

Exit codes: 0 proven, 1 not proven, 2 the command line is wrong.

Example:
  tidegate audit check-proof proof.json --key key.pub`;

export const AUDIT_RECONCILE_HELP = `tidegate audit reconcile - what was forwarded, and what was received

Usage: tidegate audit reconcile [-c FILE | DIR] --received FILE [--channel NAME] [--repeats N]
         [--json]

Compares by class and type how many events the log says were forwarded with how many an upper has
received. An upper that has lost its connection may be sent some events again: --repeats.
Beacons that were received cut both into intervals, each of which must have what it should; urgent
events, which overtake others, are compared as a whole. Beacons are compared as the events they are.
It takes the log as it is: see tidegate audit verify.

${WHERE}
  --received FILE     an event a line, as VSCP servers write it: head,class,type,obid,datetime,
                      timestamp,GUID,data...; 'SEND ' or 'send,' may stand before it; - is standard
                      input
  --channel NAME      what was forwarded to this channel; may be left out where there is one
  --repeats N         so many events more may have been received; default 0
  --json              one JSON object
  -h, --help          this text

Exit codes: 0 nothing is missing, and no more than N are extra; 1 otherwise, or it could not be
read; 2 the command line is wrong.

Example:
  tidegate audit reconcile state/audit --channel public --received received.txt --repeats 200`;

export const AUDIT_BEACONS_HELP = `tidegate audit beacons - what a relay's beacons say

Usage: tidegate audit beacons FILE [--key PUBLIC] [--json | --checkpoints]

Finds the beacons among the events that an upper has received (channels.NAME.beacon makes a relay
send them), a line each: time, relay, run of its gate, events missing since the first beacon, how
long each source had been silent, leaves and root of its log. With a key, each must hold the log's
signature of that size and root; what is not signed is not believed.
A fault is: a signature by another key, a run whose sequence goes back, a log that becomes shorter
or has another root at the same size, events that are missing.

  FILE                what came from one relay by one channel, in the order in which it came: an
                      event a line, as audit reconcile takes them; - is standard input. Events that
                      came twice hide as many that are missing, and urgent ones that overtook the
                      first beacon count as missing: with the log, audit reconcile tells
${KEY}
  --json              a JSON object a line, which audit verify --witness takes; faults go to
                      standard error
  --checkpoints       signed notes, one behind the other, five lines each: for other tools, for
                      audit verify --witness, and the last one (tail -n 5) for --since
  -h, --help          this text

Exit codes: 0 no fault, 1 a fault, or no beacon, or it could not be read, 2 the command line is
wrong.

Examples:
  tidegate audit beacons received.txt --key key.pub
  tidegate audit beacons received.txt --key key.pub --json > seen.jsonl
  tidegate audit verify state/audit --key key.pub --witness seen.jsonl`;
