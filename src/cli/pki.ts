// `tidegate pki`: makes a small certificate authority and the certificates of both ends of a link.
import { mkdir, readFile } from 'node:fs/promises';
import { createAuthority, issueCertificate } from '../pki/authority.js';
import type { Identity } from '../pki/authority.js';
import { didYouMean } from '../document/nearest.js';
import { OptionError, quote } from '../pki/options.js';
import { checkVacant, pairPaths, writePair } from '../pki/pair.js';
import { summarise } from '../pki/summary.js';
import { parseStrictly, UsageError } from './arguments.js';
import type { Io } from './io.js';
import { HELP, INIT_HELP, ISSUE_HELP } from './pki-help.js';

const INIT_OPTIONS = {
  dir: { type: 'string', default: './pki' },
  name: { type: 'string', default: 'tidegate CA' },
  days: { type: 'string', default: '3650' },
  help: { type: 'boolean', short: 'h', default: false },
} as const;

const ISSUE_OPTIONS = {
  dir: { type: 'string', default: './pki' },
  server: { type: 'boolean', default: false },
  client: { type: 'boolean', default: false },
  host: { type: 'string', multiple: true },
  days: { type: 'string', default: '825' },
  help: { type: 'boolean', short: 'h', default: false },
} as const;

// Becomes part of a path and of a subject: no separators, no hidden files, nothing like an option.
const FILE_NAME = /^[A-Za-z0-9_][A-Za-z0-9._-]{0,63}$/;

function readDays(text: string): number {
  if (!/^\d{1,9}$/.test(text)) {
    throw new UsageError(`--days takes a whole number of days, not ${quote(text)}`);
  }
  return Number(text);
}

function checkDirectory(directory: string): void {
  if (directory === '') throw new UsageError('--dir is empty; the default is ./pki');
}

function report(io: Io, directory: string, name: string, pair: Identity): void {
  const paths = pairPaths(directory, name);
  io.out(`certificate  ${paths.certificate}`);
  io.out(`private key  ${paths.key} (mode 0600, keep it secret)`);
  for (const line of summarise(pair.certificate)) io.out(line);
}

async function init(args: readonly string[], io: Io): Promise<void> {
  const { values, positionals } = parseStrictly(args, INIT_OPTIONS);
  if (values.help) {
    io.out(INIT_HELP);
    return;
  }
  const [extra] = positionals;
  if (extra !== undefined) {
    throw new UsageError(`init takes no argument, but ${quote(extra)} is given; see --name`);
  }
  checkDirectory(values.dir);
  const days = readDays(values.days);
  await checkVacant(pairPaths(values.dir, 'ca'));
  const authority = await createAuthority({ commonName: values.name, days });
  await mkdir(values.dir, { recursive: true });
  await writePair(values.dir, 'ca', authority);
  report(io, values.dir, 'ca', authority);
}

async function readAuthority(directory: string): Promise<Identity> {
  const paths = pairPaths(directory, 'ca');
  try {
    return {
      certificate: await readFile(paths.certificate, 'utf8'),
      key: await readFile(paths.key, 'utf8'),
    };
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new Error(`no authority to sign with: ${reason}; "tidegate pki init" makes one`, {
      cause,
    });
  }
}

async function issue(args: readonly string[], io: Io): Promise<void> {
  const { values, positionals } = parseStrictly(args, ISSUE_OPTIONS);
  if (values.help) {
    io.out(ISSUE_HELP);
    return;
  }
  const names = values.host ?? [];
  const [name, extra] = positionals;
  if (name === undefined) throw new UsageError('NAME is missing, as in "tidegate pki issue relay"');
  if (extra !== undefined) {
    const quoted = quote(extra);
    throw new UsageError(`one NAME at a time, but ${quoted} is given as well; see --host`);
  }
  if (!FILE_NAME.test(name)) {
    const rule =
      'up to 64 letters, digits, dots, hyphens and underscores, no leading dot or hyphen';
    throw new UsageError(`NAME ${quote(name)} is not a plain file name: ${rule}`);
  }
  if (values.server && values.client) {
    throw new UsageError('--server and --client exclude each other');
  }
  if (values.server && names.length === 0) {
    const hint = 'the DNS name or IP address that the relay dials, such as --host upper.example';
    throw new UsageError(`--server needs at least one --host: ${hint}`);
  }
  checkDirectory(values.dir);
  const days = readDays(values.days);
  await checkVacant(pairPaths(values.dir, name));
  const identity = await issueCertificate(await readAuthority(values.dir), {
    commonName: name,
    usage: values.server ? 'server' : 'client',
    names,
    days,
  });
  await writePair(values.dir, name, identity);
  report(io, values.dir, name, identity);
}

const COMMANDS = new Map([
  ['init', init],
  ['issue', issue],
]);

async function run(args: readonly string[], io: Io): Promise<void> {
  const [command, ...others] = args;
  if (command === undefined) throw new UsageError('a command is missing: init or issue');
  if (command.startsWith('-')) {
    const { values } = parseStrictly([command], { help: { type: 'boolean', short: 'h' } });
    if (!values.help) throw new UsageError('a command is missing: init or issue');
    io.out(HELP);
    return;
  }
  const chosen = COMMANDS.get(command);
  if (!chosen) {
    const hint = didYouMean(command, COMMANDS.keys()) || '; known: init, issue';
    throw new UsageError(`unknown command ${quote(command)}${hint}`);
  }
  await chosen(others, io);
}

/**
 * Runs `tidegate pki`.
 * @param args what follows `pki` on the command line.
 * @returns the exit code: 0 done, 1 the work failed, 2 the command line is wrong. Never rejects.
 */
export async function pki(args: readonly string[], io: Io): Promise<number> {
  try {
    await run(args, io);
    return 0;
  } catch (error) {
    const wrong = error instanceof UsageError || error instanceof OptionError;
    const message = error instanceof Error ? error.message : String(error);
    const level = COMMANDS.has(args[0] ?? '') ? `tidegate pki ${args[0] ?? ''}` : 'tidegate pki';
    io.err(`${level}: ${message}${wrong ? ` (see ${level} --help)` : ''}`);
    return wrong ? 2 : 1;
  }
}
