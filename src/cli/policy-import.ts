/** `tidegate policy import`: turns VSCP's decision matrix into a policy. */
import { writeFileSync } from 'node:fs';
import { basename } from 'node:path';
import { DocumentError, MAX_TEXT } from '../document/document.js';
import {
  CHANNEL_NAME,
  type Imported,
  importMatrix,
  POLICY_NAME,
  ZONE_NAME,
} from '../migrate/decision-matrix.js';
import { quote } from '../pki/options.js';
import { parseStrictly, refuseExtra, UsageError } from './arguments.js';
import type { Io } from './io.js';
import { readBounded } from './policy-files.js';

export const POLICY_IMPORT_HELP = `tidegate policy import - make a policy of VSCP's decision matrix

Usage: tidegate policy import --dm FILE.xml [--id NAME] [--channel NAME] [--zone ZONE] [-o FILE]

Reads the decision matrix of a VSCP daemon (dm.xml) and prints a policy: each enabled row with the
action 0x43, send event to remote server, becomes a rule that permits what the row let out. What is
printed is YAML with comments; read it, add tests to it, then name it in the configuration.

Carried over: mask and filter; index, zone and sub-zone; allowed_from, allowed_to, allowed_weekdays
and allowed_time as far as they are whole days and minutes; the event that is sent, if it is %event
or written out; the comment, as the reason. Users and passwords are never printed.
A row with anything else is not carried over: no rule lets out more than its row did. Each such row
is said on standard error, with its place and what to do. A server beside the first gets a channel
of its own. Rows with other actions, or disabled, are said too, and are no failure.

  --dm FILE        the decision matrix, XML of 1 MiB at most
  --id NAME        the name of the policy; default that of the file
  --channel NAME   the channel that stands for the remote server; default upper
  --zone ZONE      the time zone of the daemon's clock, as Europe/Berlin; default UTC
  -o, --out FILE   write the policy there; a file that exists is not overwritten
  -h, --help       this text

Exit code: 0 every row that sends to a remote server is a rule; 1 some are not, or the file is
broken; 2 the command line is wrong.

Examples:
  tidegate policy import --dm /etc/vscp/dm.xml --zone Europe/Stockholm
  tidegate policy import --dm dm.xml --channel public -o policies/imported.yaml`;

const OPTIONS = {
  dm: { type: 'string' },
  id: { type: 'string' },
  channel: { type: 'string', default: 'upper' },
  zone: { type: 'string' },
  out: { type: 'string', short: 'o' },
  help: { type: 'boolean', short: 'h', default: false },
} as const;

function readMatrix(file: string): string {
  const bytes = readBounded(file);
  if (bytes.length > MAX_TEXT) throw new DocumentError(file, 1, 1, 'the file is larger than 1 MiB');
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw new DocumentError(file, 1, 1, 'the file is not UTF-8: convert it');
  }
}

function defaultId(file: string): string {
  const name = basename(file)
    .replace(/\.[^.]*$/, '')
    .replace(/[^A-Za-z0-9_-]+/g, '-')
    .replace(/^[-_]+/, '')
    .slice(0, 64);
  return name === '' ? 'imported' : name;
}

function checkName(option: string, value: string, form: RegExp): void {
  if (form.test(value)) return;
  throw new UsageError(
    `${option} ${quote(value)} is no name: letters, digits, - and _, 58 at most`,
  );
}

function checkZone(zone: string): void {
  try {
    if (!ZONE_NAME.test(zone)) throw new RangeError();
    new Intl.DateTimeFormat('en', { timeZone: zone });
  } catch (cause) {
    const hint = 'write it as Europe/Berlin, or UTC';
    throw new UsageError(`--zone ${quote(zone)} is no time zone: ${hint}`, { cause });
  }
}

function summarise({ rows, rules, missed }: Imported): string {
  const others = rows - rules - missed;
  return (
    `${rows} ${rows === 1 ? 'row' : 'rows'}: ${rules} ${rules === 1 ? 'rule' : 'rules'}, ` +
    `${missed} not carried over, ${others} disabled or without a remote server`
  );
}

function run(args: readonly string[], io: Io): number {
  const { values, positionals } = parseStrictly(args, OPTIONS);
  if (values.help) {
    io.out(POLICY_IMPORT_HELP);
    return 0;
  }
  refuseExtra(positionals);
  const { dm, channel, zone, out } = values;
  if (dm === undefined) throw new UsageError('--dm is missing: the decision matrix to import');
  const id = values.id ?? defaultId(dm);
  checkName('--id', id, POLICY_NAME);
  checkName('--channel', channel, CHANNEL_NAME);
  if (zone !== undefined) checkZone(zone);
  const imported = importMatrix(readMatrix(dm), dm, { id, channel, zone });
  for (const { line, column, message } of imported.notes) {
    io.err(`${dm}:${line}:${column}: ${message}`);
  }
  if (imported.rules > 0) {
    if (out === undefined) io.out(imported.policy.trimEnd());
    else writeFileSync(out, imported.policy, { flag: 'wx' });
  }
  io.err(summarise(imported));
  if (imported.rules > 0) return imported.missed === 0 ? 0 : 1;
  io.err('no row is a rule, so there is no policy');
  return 1;
}

/**
 * Runs `tidegate policy import`.
 * @param args what follows `policy import` on the command line.
 * @returns the exit code: 0 all carried over, 1 not, 2 the command line is wrong. Never throws.
 */
export function policyImport(args: readonly string[], io: Io): number {
  try {
    return run(args, io);
  } catch (error) {
    if (error instanceof UsageError) {
      io.err(`tidegate policy import: ${error.message} (see tidegate policy import --help)`);
      return 2;
    }
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST') io.err(`${message}: move it away, or name another file`);
    else io.err(message);
    return 1;
  }
}
