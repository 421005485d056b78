/** `tidegate audit show`: the decisions of a log, a line each. */
import { parseCheckpoint } from '../audit/checkpoint.js';
import { type Batch, type Head, KINDS, type Leaf } from '../audit/leaf.js';
import type { Scene } from '../audit/scene.js';
import { ruleName, sourceName } from '../audit/tally.js';
import { walkLog } from '../audit/walk.js';
import { parseNote } from '../note/note.js';
import { quote } from '../pki/options.js';
import { className, typeName } from '../policy/tokens.js';
import { parseStrictly, UsageError } from './arguments.js';
import { AUDIT_SHOW_HELP } from './audit-help.js';
import { findLog, readTime } from './audit-place.js';
import { printable, printableJson } from './excerpt.js';
import type { Io } from './io.js';
import { timeText } from './journal-text.js';

const OPTIONS = {
  config: { type: 'string', short: 'c' },
  since: { type: 'string' },
  until: { type: 'string' },
  kind: { type: 'string', multiple: true },
  rule: { type: 'string' },
  source: { type: 'string' },
  json: { type: 'boolean', default: false },
  help: { type: 'boolean', short: 'h', default: false },
} as const;

/** Lines are written in pieces of so many characters. */
const PIECE = 64 * 1024;
/** Characters of one line: a leaf may name thousands of rules. */
const MAX_LINE = 2000;

/** One thing that a leaf says. */
interface Item {
  readonly text: string;
  readonly fields: Readonly<Record<string, unknown>>;
  readonly rule?: string;
  readonly source?: string;
}

/** Records of a range that were decided alike, one after the other. */
function* forwardsOf(leaf: Head & Batch, scene: Scene): Generator<Item> {
  for (const { journal, first, count, of } of leaf.ranges) {
    for (let from = 0, to = 0; from < count; from = to) {
      while (to < count && of[to] === of[from]) to++;
      const decision = leaf.decisions[of[from]!]!;
      const { vscpClass, type } = decision;
      const rule = ruleName(decision.rule, scene);
      const source = sourceName(decision.source, scene);
      const name = scene.start.journals[journal]!;
      const [a, b] = [first + from, first + to - 1];
      const names = { class: className(vscpClass), type: typeName(vscpClass, type) };
      const range = a === b ? String(a) : `${a} to ${b}`;
      yield {
        text: `${name} ${range}  ${source}  ${rule}  ${names.class}  ${names.type}`,
        fields: { journal: name, first: a, last: b, source, rule, ...names, batch: leaf.batch },
        rule,
        source,
      };
    }
  }
}

function* itemsOf(leaf: Leaf, scene: Scene): Generator<Item> {
  switch (leaf.kind) {
    case 'batch':
      yield* forwardsOf(leaf, scene);
      return;
    case 'denials':
      for (const each of leaf.denied) {
        const source = sourceName(each.source, scene);
        const rule = each.rule === undefined ? undefined : ruleName(each.rule, scene);
        const { count } = each;
        const why = rule === undefined ? 'nothing permits it' : `by ${rule}`;
        const text = `${count} from ${source}, ${why}`;
        yield {
          text,
          fields: { source, rule: rule ?? null, count },
          source,
          ...(rule && { rule }),
        };
      }
      return;
    case 'loss': {
      const source = sourceName(leaf.source, scene);
      const { reason, count } = leaf;
      yield {
        text: `${count} from ${source}, ${reason}`,
        fields: { source, reason, count },
        source,
      };
      return;
    }
    default:
      yield { text: textOf(leaf, scene), fields: fieldsOf(leaf) };
  }
}

function textOf(leaf: Leaf, { start }: Scene): string {
  switch (leaf.kind) {
    case 'start': {
      const { previous, boot } = leaf;
      if (!previous) return `boot ${boot}`;
      const end = previous.ended ? 'ended' : 'was killed';
      return `boot ${boot}, after ${previous.boot}, which ${end}`;
    }
    case 'policies': {
      const files = leaf.files.map(({ id, revision }) => `${id} revision ${revision}`).join(', ');
      const signers = leaf.signers.map(({ name, id }) => `${name}+${id}`).join(', ');
      return `${files}; digest ${leaf.digest}; signed by ${signers === '' ? 'nobody' : signers}`;
    }
    case 'refused':
      return `${leaf.digest}: ${leaf.reason}`;
    case 'heartbeat':
      return leaf.forwarding ? 'forwarding' : 'nothing goes out';
    case 'clock':
      return `set by ${leaf.by} ms`;
    case 'key':
      return `${leaf.key} from the next checkpoint on`;
    case 'void':
      return `${start.journals[leaf.journal]!} from ${leaf.first} on: ${leaf.reason}`;
    case 'state': {
      const what = leaf.forwarding ? 'events go out' : 'nothing goes out';
      return leaf.reason === undefined ? what : `${what}: ${leaf.reason}`;
    }
    default:
      return '';
  }
}

/** A rare leaf as it is, less what every line has. */
function fieldsOf(leaf: Leaf): Record<string, unknown> {
  const heads = ['index', 'time', 'clock', 'start', 'policies', 'kind'];
  return Object.fromEntries(Object.entries(leaf).filter(([name]) => !heads.includes(name)));
}

/**
 * Runs `tidegate audit show`; returns the exit code.
 *
 * @throws UsageError, LogError, NoteError, DocumentError, or an Error of the file system
 */
export async function auditShow(args: readonly string[], io: Io): Promise<number> {
  const { values, positionals } = parseStrictly(args, OPTIONS);
  if (values.help) {
    io.out(AUDIT_SHOW_HELP);
    return 0;
  }
  const { kind: kinds, rule, source, json } = values;
  for (const kind of kinds ?? []) {
    if ((KINDS as readonly string[]).includes(kind)) continue;
    throw new UsageError(`--kind takes ${KINDS.join(', ')}, not ${quote(kind)}`);
  }
  const since = readTime('--since', values.since, -Infinity);
  const until = readTime('--until', values.until, Infinity);
  const log = findLog(values.config, positionals);
  const { size } = parseCheckpoint(parseNote(log.checkpoint()).text);
  let piece: string[] = [];
  let length = 0;
  const flush = async (): Promise<void> => {
    if (piece.length > 0) io.out(piece.join('\n'));
    piece = [];
    length = 0;
    if (!process.stdout.writableNeedDrain) return;
    await new Promise((resolve) => process.stdout.once('drain', resolve));
  };
  for (const { leaf, scene } of walkLog(log, size)) {
    if (leaf.time < since || leaf.time > until) continue;
    if (kinds && !kinds.includes(leaf.kind)) continue;
    const time = timeText(leaf.time) ?? null;
    for (const item of itemsOf(leaf, scene)) {
      if (rule !== undefined && item.rule !== rule) continue;
      if (source !== undefined && item.source !== source) continue;
      const { index, kind } = leaf;
      const line = json
        ? printableJson({ leaf: index, time, kind, ...item.fields })
        : `${String(index).padStart(8)}  ${(time ?? '-').padEnd(24)}  ${kind.padEnd(9)}  ` +
          printable(item.text).slice(0, MAX_LINE);
      piece.push(line);
      length += line.length;
      if (length >= PIECE) await flush();
    }
  }
  await flush();
  return 0;
}
