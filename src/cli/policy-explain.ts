/** `tidegate policy explain`: why a policy decides an event as it does, and what would be sent. */
import { readInstant } from '../document/date.js';
import { DocumentError } from '../document/document.js';
import { quote } from '../pki/options.js';
import type { Explanation } from '../review/explain.js';
import { parseStrictly, UsageError } from './arguments.js';
import { printable } from './excerpt.js';
import type { Io } from './io.js';
import { Desk } from './policy-explain-desk.js';
import { POLICY_EXPLAIN_HELP, SHOWN_RECORDS } from './policy-explain-help.js';
import {
  argumentItems,
  type Item,
  lineItems,
  type Origin,
  recordItems,
} from './policy-explain-input.js';
import { originText, toBrief, toJson, toText } from './policy-explain-text.js';
import { readPolicies } from './policy-files.js';
import { painter } from './policy-report.js';

/** Of one run; more are better counted than read. */
const MAX_EVENTS = 1_000_000;

const OPTIONS = {
  event: { type: 'string', multiple: true },
  source: { type: 'string' },
  at: { type: 'string' },
  journal: { type: 'string' },
  from: { type: 'string' },
  count: { type: 'string' },
  brief: { type: 'boolean', default: false },
  json: { type: 'boolean', default: false },
  help: { type: 'boolean', short: 'h', default: false },
} as const;

/** Standard input, or what stands for it. */
export type Input = AsyncIterable<string | Uint8Array> & { readonly isTTY?: boolean };

function readTime(text: string | undefined): number {
  if (text === undefined) return Date.now();
  const time = readInstant(text);
  if (Number.isNaN(time)) {
    throw new UsageError(`--at ${quote(text)} is no time: write it as 2026-06-01T12:00:07Z`);
  }
  return time;
}

function readCount(option: string, text: string | undefined, fallback: number): number {
  if (text === undefined) return fallback;
  if (/^[1-9]\d{0,14}$/.test(text)) return Number(text);
  throw new UsageError(`${option} takes a whole number from 1 on, not ${quote(text)}`);
}

/** What the command was asked for. */
interface Request {
  readonly items: AsyncIterable<Item> | Iterable<Item>;
  readonly most: number;
  readonly format: (origin: Origin, explanation: Explanation) => readonly string[];
}

type Values = ReturnType<typeof parse>['values'];

const parse = (args: readonly string[]) => parseStrictly(args, OPTIONS);

function readRequest(values: Values, io: Io, input: Input): Request {
  const { event, journal, from, count, json, brief } = values;
  if (event && journal !== undefined) throw new UsageError('--event or --journal, not both');
  if (json && brief) throw new UsageError('--json or --brief, not both');
  for (const [option, value] of Object.entries({ '--from': from, '--count': count })) {
    if (value !== undefined && journal === undefined) {
      throw new UsageError(`${option} goes with --journal`);
    }
  }
  const paint = painter(io);
  const format: Request['format'] = json
    ? (origin, explanation) => [toJson(origin, explanation)]
    : brief
      ? (origin, explanation) => [toBrief(origin, explanation)]
      : (origin, explanation) => toText(origin, explanation, paint);
  if (event) return { items: argumentItems(event), most: MAX_EVENTS, format };
  if (journal !== undefined) {
    const items = recordItems(journal, readCount('--from', from, 1));
    return { items, most: readCount('--count', count, SHOWN_RECORDS), format };
  }
  if (input.isTTY === true) {
    throw new UsageError(
      'no event: give --event LINE or --journal DIR, or lines on standard input',
    );
  }
  return { items: lineItems(input), most: MAX_EVENTS, format };
}

async function run(args: readonly string[], io: Io, input: Input): Promise<number> {
  const { values, positionals } = parse(args);
  if (values.help) {
    io.out(POLICY_EXPLAIN_HELP);
    return 0;
  }
  const { source } = values;
  if (source !== undefined && !/^[A-Za-z0-9][\w-]{0,63}$/.test(source)) {
    throw new UsageError(`--source ${quote(source)} is no name of a lower link`);
  }
  const at = readTime(values.at);
  const files = readPolicies(positionals);
  const { items, most, format } = readRequest(values, io, input);
  const errors = files.flatMap((each) => each.errors);
  for (const { file, line, column, message } of errors) {
    io.err(printable(`${file}:${line}:${column}: ${message}`));
  }
  if (errors.length > 0) return 1;
  const desk = new Desk(
    files.flatMap(({ policy }) => policy ?? []),
    at,
    source,
  );
  if (desk.hint !== undefined) io.err(desk.hint);
  let explained = 0;
  let failed = false;
  for await (const item of items) {
    if (explained === most) {
      const next = originText({ from: item.origin.from, number: item.origin.number });
      io.err(`there is more: ended before ${next}`);
      break;
    }
    explained++;
    if ('malformed' in item) {
      io.err(`${originText(item.origin)}: malformed: ${item.malformed}: ${quote(item.text)}`);
      failed = true;
      continue;
    }
    const explanation = desk.explain(item.body, item.source);
    for (const line of format(item.origin, explanation)) io.out(line);
    // A reader that is slower than this must not make what waits for it grow.
    if (process.stdout.writableNeedDrain) {
      await new Promise((resolve) => process.stdout.once('drain', resolve));
    }
    for (const each of explanation.disagreements) {
      io.err(`${originText(item.origin)}: a bug of tidegate, please report it: ${printable(each)}`);
      failed = true;
    }
  }
  if (explained > 0) return failed ? 1 : 0;
  io.err(values.journal === undefined ? 'no event was given' : 'the journal has no such record');
  return 1;
}

const WORDS: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file or directory',
  EACCES: 'permission denied',
  ENOTDIR: 'it is no directory: name the one that holds the *.tgj of a channel',
};

/** What is wrong; nothing that a file or its name says steers a terminal. */
function messageOf(error: unknown): string {
  const { code, message, path } = error as NodeJS.ErrnoException;
  if (code === undefined || error instanceof DocumentError) return printable(message);
  const file = path === undefined ? '' : ` ${path}`;
  return printable(`cannot read${file}: ${WORDS[code] ?? code}`);
}

/**
 * Runs `tidegate policy explain`.
 * @param args what follows `policy explain` on the command line.
 * @returns the exit code: 0 explained, 1 not all, 2 the command line is wrong. Never rejects.
 */
export async function policyExplain(
  args: readonly string[],
  io: Io,
  input: Input = process.stdin,
): Promise<number> {
  try {
    return await run(args, io, input);
  } catch (error) {
    if (error instanceof UsageError) {
      io.err(`tidegate policy explain: ${error.message} (see tidegate policy explain --help)`);
      return 2;
    }
    io.err(messageOf(error));
    return 1;
  }
}
