/** Families of metrics as text: OpenMetrics 1.0, and the older format that a textfile has. */

export interface Sample {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

export interface Family {
  /** Without the ending that its type brings; with its unit as the last word. */
  readonly name: string;
  readonly type: 'counter' | 'gauge' | 'info';
  readonly unit?: 'seconds' | 'bytes';
  /** Without quotes, backslashes and line ends. */
  readonly help: string;
  readonly samples: readonly Sample[];
}

export type Format = 'openmetrics' | 'textfile';

const ENDINGS = { counter: '_total', gauge: '', info: '_info' } as const;

/** What ends a line, or what a terminal would obey: it means nothing in a label. */
const UNSAFE = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu;

/** OpenMetrics 1.0, "Escaping"; the older format has the same for label values. */
function escape(value: string): string {
  return value.replace(UNSAFE, '\ufffd').replaceAll('\\', '\\\\').replaceAll('"', '\\"');
}

function renderNumber(value: number): string {
  return Number.isFinite(value) || Number.isNaN(value)
    ? String(value)
    : value > 0
      ? '+Inf'
      : '-Inf';
}

function renderLabels(labels: Sample['labels']): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escape(value)}"`);
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`;
}

/** A family with no sample says nothing; of two samples with the same labels the first counts. */
function renderFamily({ name, type, unit, help, samples }: Family, format: Format): string[] {
  const values = new Map<string, number>();
  for (const { labels, value } of samples) {
    const text = renderLabels(labels);
    if (!values.has(text)) values.set(text, value);
  }
  if (values.size === 0) return [];
  const series = `${name}${ENDINGS[type]}`;
  const openly = format === 'openmetrics';
  // The older format knows no type `info`, and a counter by its whole name.
  const known = openly ? name : series;
  return [
    `# TYPE ${known} ${openly || type !== 'info' ? type : 'gauge'}`,
    ...(openly && unit !== undefined ? [`# UNIT ${known} ${unit}`] : []),
    `# HELP ${known} ${help}`,
    ...[...values].map(([labels, value]) => `${series}${labels} ${renderNumber(value)}`),
  ];
}

/** The whole text, with its last line end. */
export function renderMetrics(families: readonly Family[], format: Format): string {
  const lines = families.flatMap((family) => renderFamily(family, format));
  if (format === 'openmetrics') lines.push('# EOF');
  return `${lines.join('\n')}\n`;
}
