/** `tidegate audit beacons`: what a relay's beacons among received events say, and whether they are its own. */
import { formatCheckpoint } from '../audit/checkpoint.js';
import type { Beacon, BeaconPart } from '../beacon/beacon.js';
import { BeaconCourse, type Step } from '../beacon/course.js';
import { assembleNote, hasSigned, type Note, NoteError, verifySignatures } from '../note/note.js';
import type { Verifier } from '../note/note.js';
import { parseStrictly, refuseExtra, UsageError } from './arguments.js';
import { AUDIT_BEACONS_HELP } from './audit-help.js';
import { readKeys } from './audit-place.js';
import { printable, printableJson } from './excerpt.js';
import type { Io } from './io.js';
import { ageText, countText, timeText } from './journal-text.js';
import { count } from './policy-files.js';
import { painter } from './policy-report.js';
import { readReceived } from './received.js';

/** Silences that are shown, by source. */
const SHOWN = 8;

/** The checkpoint as the log has signed it. */
function noteOf({ relay, size, root, keyId, signature }: Beacon): Note {
  const text = formatCheckpoint({ origin: relay, size, root });
  return { text, signatures: [{ name: relay, id: keyId, bytes: signature }] };
}

/** Why a beacon is not the relay's; undefined: one of the keys has signed all that it says. */
function wrongSignature(beacon: BeaconPart, keys: readonly Verifier[]): string | undefined {
  try {
    const [key] = verifySignatures(noteOf(beacon), keys);
    if (!key) return `it is signed by key ${beacon.keyId}, which is none of those asked for`;
    if (hasSigned(key, beacon.message, beacon.own)) return undefined;
    return `what it says beside the log's checkpoint is not signed by key ${beacon.keyId}`;
  } catch (error) {
    if (!(error instanceof NoteError)) throw error;
    return error.message;
  }
}

/** The whole line, fit for `audit verify --witness`. */
function fieldsOf({ beacon, account, restarted, faults }: Step, verified: boolean) {
  const { size, root, relay, boot, time, routine, urgent, keyId, sources } = beacon;
  return {
    ...{ size, root: Buffer.from(root).toString('base64'), verified, keyId },
    ...{ relay, boot, restarted, time: timeText(time) ?? null, routine, urgent, sources },
    expected: account?.expected ?? 0,
    received: account?.received ?? 0,
    missing: account?.missing ?? 0,
    ...(faults.length > 0 && { faults }),
  };
}

function lineOf({ beacon, account, restarted }: Step): string {
  const { relay, boot, time, size, root, sources } = beacon;
  const heard = sources.slice(0, SHOWN).map(({ silence }) => ageText(silence * 1000));
  if (sources.length > SHOWN) heard.push('...');
  const { missing = 0, expected = 0 } = account ?? {};
  return [
    timeText(time) ?? '-',
    relay,
    `boot ${boot}${restarted ? ', started anew' : ''}`,
    `${countText(missing)} of ${countText(expected)} missing`,
    `silent for ${heard.join(', ') || '-'}`,
    `${countText(size)} leaves`,
    Buffer.from(root).toString('base64'),
  ].join('  ');
}

/** One name: what comes from several relays cannot be counted together. */
function relayOf(keys: readonly Verifier[] | undefined): string | undefined {
  const names = new Set(keys?.map(({ name }) => name));
  if (names.size > 1) throw new UsageError('--key: the keys are of more than one relay');
  const [name] = names;
  return name;
}

/**
 * Runs `tidegate audit beacons`; returns the exit code.
 *
 * @throws UsageError, LogError, or an Error of the file system
 */
export async function auditBeacons(args: readonly string[], io: Io): Promise<number> {
  const { values, positionals } = parseStrictly(args, {
    key: { type: 'string', multiple: true },
    checkpoints: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', short: 'h', default: false },
  });
  if (values.help) {
    io.out(AUDIT_BEACONS_HELP);
    return 0;
  }
  const [file, ...extra] = positionals;
  refuseExtra(extra);
  if (file === undefined) throw new UsageError('a file of received events is missing; - is stdin');
  if (values.json && values.checkpoints) {
    throw new UsageError('--json and --checkpoints are two forms of the same');
  }
  const keys = values.key && readKeys('--key', values.key);
  let relay = relayOf(keys);
  const course = new BeaconCourse();
  const paint = painter(io);
  const human = !values.json && !values.checkpoints;
  const complain = (line: string): void => {
    if (human) io.out(`${paint('fault:', 'red')} ${line}`);
    else io.err(`fault: ${line}`);
  };
  let [beacons, faults, others, unreadable, shown] = [0, 0, 0, 0, ''];
  for await (const { number, pair, beacon: part } of readReceived(file)) {
    if (pair === undefined) unreadable++;
    if (part) relay ??= part.relay;
    if (!part || part.relay !== relay) {
      if (pair !== undefined) course.take();
      if (part) others++;
      continue;
    }
    const wrong = keys && wrongSignature(part, keys);
    if (wrong !== undefined) {
      faults++;
      complain(`line ${number}: the beacon is not to be believed: ${printable(wrong)}`);
      continue;
    }
    const step = course.note(part);
    if (!step) continue;
    beacons++;
    faults += step.faults.length;
    if (human) io.out(printable(lineOf(step)));
    else if (values.json) io.out(printableJson(fieldsOf(step, keys !== undefined)));
    else {
      const note = assembleNote(noteOf(step.beacon)).trimEnd();
      if (note !== shown) io.out(note);
      shown = note;
    }
    for (const fault of step.faults) complain(`line ${number}: ${fault}`);
  }
  const { missing = 0, expected = 0, received = 0 } = course.account ?? {};
  const ok = beacons > 0 && faults === 0 && missing === 0;
  if (!human) return ok ? 0 : 1;
  if (others > 0) io.out(`${count(others, 'part')} of other relays' beacons, taken as events`);
  if (unreadable > 0) io.out(`${count(unreadable, 'line')} no events`);
  if (!keys) io.out('no signature was verified: name the public key with --key');
  const sums =
    `${count(beacons, 'beacon')}, ${countText(missing)} missing of ` +
    `${countText(expected)}, ${countText(received)} received, ${count(faults, 'fault')}`;
  io.out(ok ? `${paint('beacons OK', 'green')}: ${sums}` : `${paint('NOT OK', 'red')}: ${sums}`);
  return ok ? 0 : 1;
}
