/** What `tidegate policy explain --help` says. */
import { TEST_KEY } from '../review/rehearsal.js';
import { MAX_LINE } from './policy-explain-input.js';

/** Records of a journal that are explained where `--count` says nothing else. */
export const SHOWN_RECORDS = 20;

export const POLICY_EXPLAIN_HELP = `tidegate policy explain - why a policy decides as it does

Usage: tidegate policy explain FILE... --event LINE [--source NAME] [--at TIME]
       tidegate policy explain FILE... < LINES
       tidegate policy explain FILE... --journal DIR [--from SEQUENCE] [--count N]

Prints the verdict for each channel and the rule that decides; for every other rule the first
predicate that fails, with its place in the file; and what would be sent, field by field, with
where each field came from. Several files are active together, as in a relay. An event is explained
as if it were the first: windows, deadbands and rates remember nothing of the one before.

A LINE is an event as VSCP servers send it: head,class,type,obid,datetime,timestamp,GUID,data...
Without --event and --journal, lines come from standard input: ${MAX_LINE} bytes each at most,
empty ones are passed over. A malformed line is said with its number; the others are explained.
No key file is read: pseudonyms are those of the published test key, '${TEST_KEY}'.

  --event LINE     the event; may be given several times
  --source NAME    the lower link it came by; default the only one that the policies name
  --at TIME        the relay's clock, as 2026-06-01T12:00:07Z; default now
  --journal DIR    explain what a channel has sent, as if it came in again: DIR holds its *.tgj
  --from SEQUENCE  the first record; default the oldest
  --count N        how many records; default ${SHOWN_RECORDS}
  --brief          one line an event: the verdicts and their rules
  --json           one JSON object an event, on one line
  -h, --help       this text

Exit code: 0 all explained; 1 something could not be read, or is malformed; 2 the command line is
wrong.

Examples:
  tidegate policy explain policy.yaml --at 2026-06-01T12:00:07Z \\
    --event '96,10,6,0,,0,FF:FF:FF:FF:FF:FF:FF:FE:B8:27:EB:10:01:02:00:01,138,129,0,215'
  tidegate policy explain policy.yaml --brief < events.txt
  tidegate policy explain new.yaml --journal /var/lib/tidegate/journal/public --count 5`;
