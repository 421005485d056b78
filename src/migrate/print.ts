/** Prints the rules that were made of a decision matrix as a policy file. */
import { plain } from './hindrance.js';
import type { Row } from './matrix.js';

export interface PrintedRule {
  /** undefined: a rule that stands for none, and forbids. */
  readonly row: Row | undefined;
  readonly to: string;
  readonly server?: string;
  readonly lines: readonly string[];
  readonly emit: readonly string[];
  readonly reason: string | undefined;
}

const MAX_SLUG = 40;

/** Letters, digits and `-`; unique because the row's number is. */
function ruleName({ number }: Row, reason: string): string {
  const slug = reason
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .slice(0, MAX_SLUG)
    .replace(/^-|-$/g, '');
  return slug === '' ? `row-${number}` : `row-${number}-${slug}`;
}

/** Every foreign text stands in a JSON string or, without line ends, in a comment. */
export function printRule({ row, to, server, lines, emit, reason = '' }: PrintedRule): string {
  const text = plain(reason);
  const group = plain(row?.attributes.get('groupid') ?? '', 64);
  const about = [
    ...(row ? [`row ${row.number}, line ${row.line}`] : ['no row became a rule']),
    ...(group === '' ? [] : [`group ${JSON.stringify(group)}`]),
    ...(server === undefined ? [] : [`to ${server}`]),
  ];
  return [
    `  # ${about.join(', ')}`,
    `  - name: ${row ? ruleName(row, text) : 'nothing'}`,
    `    effect: ${row ? 'permit' : 'forbid'}`,
    `    to: [${to}]`,
    ...(text === '' ? [] : [`    reason: ${JSON.stringify(text)}`]),
    '    match:',
    ...lines.map((line) => `      ${line}`),
    ...(emit.length === 0 ? [] : ['    emit:', ...emit.map((line) => `      ${line}`)]),
  ].join('\n');
}

export interface PrintedPolicy {
  readonly id: string;
  readonly file: string;
  readonly rows: number;
  readonly rules: number;
  /** Rules, and comments that stand for rows. */
  readonly texts: readonly string[];
}

export function printPolicy({ id, file, rows, rules, texts }: PrintedPolicy): string {
  return [
    `# Imported from VSCP's decision matrix ${JSON.stringify(plain(file))}:`,
    `# ${rows} rows, of which ${rules} are rules here. The others stand as comments.`,
    '# Read every rule before it is used. Add tests: a section "tests" that says which events go',
    '# out and which do not.',
    'schema: tidegate-policy/v1',
    `policy: { id: ${id}, revision: 1 }`,
    'rules:',
    ...texts,
    '',
  ].join('\n');
}
