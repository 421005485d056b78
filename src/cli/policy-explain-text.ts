/** An explanation as text for people, as one line, or as one line of JSON. */
import type { ChannelReport, Explanation, RuleReport } from '../review/explain.js';
import type { Failure } from '../review/failure.js';
import { type Place, placeText } from '../review/place.js';
import type { SentField } from '../review/provenance.js';
import { printable, printableJson } from './excerpt.js';
import type { Origin } from './policy-explain-input.js';
import type { Paint } from './policy-report.js';

/** The same with every text of it printable. */
function clean<T>(value: T): T {
  return JSON.parse(JSON.stringify(value), (_, each: unknown) =>
    typeof each === 'string' ? printable(each) : each,
  ) as T;
}

/** Data of 512 bytes is no help in a column. */
const WIDEST = 47;

export function originText({ from, number, channel, rule }: Origin): string {
  if (from === 'event') return `--event ${number}`;
  if (from === 'stdin') return `line ${number}`;
  const of = channel === undefined ? '' : ` of channel ${channel}`;
  const again = rule === undefined ? '' : `, sent by ${rule}; explained as if it came in again`;
  return printable(`record ${number}${of}${again}`);
}

/** One JSON object on one line, in which nothing steers a terminal. */
export function toJson(origin: Origin, explanation: Explanation): string {
  return printableJson({ input: origin, ...explanation });
}

/** One line: what it is, and what is decided for each channel. */
export function toBrief(origin: Origin, explanation: Explanation): string {
  const { event, channels, disagreements } = explanation;
  const verdicts = channels.map(({ channel, verdict, rule, sending }) => {
    const by = rule === null ? '' : ` by ${rule}`;
    const outcome = !sending || sending.outcome === 'emitted' ? '' : ` (${sending.outcome})`;
    return `${channel} ${verdict}${by}${outcome}`;
  });
  const bug = disagreements.length > 0 ? '; DISAGREEMENT: a bug' : '';
  const what = `${event.className} ${event.typeName}`;
  return printable(`${originText(origin)}: ${what}: ${verdicts.join('; ')}${bug}`);
}

export function toText(origin: Origin, explanation: Explanation, paint: Paint): string[] {
  const cleaned = clean(explanation);
  const { channels, rules, disagreements } = cleaned;
  return [
    paint(originText(origin), 'bold'),
    ...eventLines(cleaned),
    '',
    paint('verdict', 'bold'),
    ...table(channels.map((report) => [report.channel, verdictText(report, paint)])),
    '',
    paint('rules', 'bold'),
    ...table(rules.map((report) => [report.rule, report.effect, ruleText(report, paint)])),
    ...channels.flatMap((report) => sendingLines(report, paint)),
    ...disagreements.map((each) => paint(`DISAGREEMENT, a bug of tidegate: ${each}`, 'red')),
    '',
  ];
}

/** Rows with their columns aligned but for the last; what is too wide is cut. */
function table(rows: readonly (readonly string[])[]): string[] {
  const cut = rows.map((row) => row.map((cell, i) => (i < row.length - 1 ? shorten(cell) : cell)));
  const widths = (cut[0] ?? []).map((_, i) => Math.max(...cut.map((row) => row[i]!.length)));
  return cut.map((row) => {
    const cells = row.map((cell, i) => (i < row.length - 1 ? cell.padEnd(widths[i]!) : cell));
    return `  ${cells.join('  ')}`;
  });
}

function shorten(cell: string): string {
  return cell.length > WIDEST ? `${cell.slice(0, WIDEST - 3)}...` : cell;
}

function eventLines({ event, source, at }: Explanation): string[] {
  const { data, value, unit } = event;
  const number = (name: string, code: number): string =>
    name === String(code) ? name : `${name} (${code})`;
  const optional = (name: string, of: number | string | null): string[][] =>
    of === null ? [] : [[name, String(of)]];
  const shown = data.slice(0, 16).join(' ') + (data.length > 16 ? ' ...' : '');
  const measured = value === null ? null : `${value} ${unit ?? ''}`;
  return table([
    ['class', number(event.className, event.class)],
    ['type', number(event.typeName, event.type)],
    ['priority', String(event.priority)],
    ['guid', event.guid],
    ...optional('time', event.time),
    ['data', data.length === 0 ? 'none' : `${shown} (${data.length} bytes)`],
    ...optional('value', event.notFinite ? 'NaN or an infinity' : measured),
    ...optional('sensor', event.sensor),
    ...optional('zone', event.zone),
    ...optional('subzone', event.subzone),
    ['came', `by ${source}, at ${at}`],
  ]);
}

function verdictText({ verdict, rule, place, sending }: ChannelReport, paint: Paint): string {
  if (verdict === 'refused') return paint('REFUSED: its value is NaN or an infinity', 'red');
  if (verdict === 'denied' || rule === null) return paint('DENIED: no rule permits it', 'red');
  const by = `by ${rule}${placed(place)}`;
  if (verdict === 'forbidden') return `${paint('FORBIDDEN', 'red')} ${by}`;
  const { outcome = 'emitted' } = sending ?? {};
  const but = outcome === 'open' ? ', kept for a window' : ', but not sent';
  return `${paint('PERMITTED', 'green')} ${by}${outcome === 'emitted' ? '' : paint(but, 'yellow')}`;
}

function ruleText({ matches, failure, standings }: RuleReport, paint: Paint): string {
  if (failure) return failureText(failure);
  if (!matches) return 'not asked';
  const parts = standings.map(({ words, decides }) => (decides ? paint(words, 'bold') : words));
  return `matches: ${parts.join('; ')}`;
}

function failureText({ predicate, has, wants, place }: Failure): string {
  return `${predicate}: ${has}, ${wants}${placed(place)}`;
}

function placed(place: Place | null): string {
  return place ? ` (${placeText(place)})` : '';
}

function sendingLines({ channel, sending }: ChannelReport, paint: Paint): string[] {
  if (!sending) return [];
  const { rule, outcome, notes, line, fields } = sending;
  const title = TITLES[outcome] ?? 'not sent';
  const row = ({ name, value, origin, key, place }: SentField): string[] => {
    const said = place === null ? '' : ` (${key ?? ''}, ${placeText(place)})`;
    return [name, value, `${origin}${said}`];
  };
  return [
    '',
    paint(`${channel}: ${title} by ${rule}`, 'bold'),
    ...notes.map((note) => `  ${note}`),
    ...table(fields.map(row)),
    ...(line === null ? [] : [`  ${line}`]),
  ];
}

const TITLES: Readonly<Record<string, string>> = {
  emitted: 'sent',
  open: 'kept for a window',
};
