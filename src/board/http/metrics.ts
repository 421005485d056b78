/** What the board knows and counts, as OpenMetrics 1.0 text. */
import type { BoardView, LinkState } from '../../sensor/view.js';
import type { HttpCounters } from './counters.js';

export const METRICS_TYPE = 'application/openmetrics-text; version=1.0.0; charset=utf-8';

const STATES: readonly LinkState[] = ['never', 'live', 'silent', 'away'];

type Labels = Readonly<Record<string, string>>;
type Sample = readonly [labels: Labels, value: number];

export function renderMetrics(view: BoardView, http: HttpCounters): string {
  const { events, malformed, unshown, ...kinds } = view.counters();
  const relay = view.relay();
  const sensors = view.sensors();
  const all = (values: Readonly<Record<string, number>>, label: string): Sample[] =>
    Object.entries(values).map(([name, value]) => [{ [label]: name }, value]);
  const requests = {
    answered: http.answered,
    unchanged: http.unchanged,
    limited: http.limited,
    refused: http.refused,
    failed: http.failed,
  };
  return [
    family('started_timestamp_seconds', 'gauge', 'When the board began, seconds since 1970', [
      [{}, view.started / 1000],
    ]),
    family('received', 'counter', 'Events that relays sent', [[{}, events]]),
    family('events', 'counter', 'Of them, by what they were', all(kindsOf(kinds), 'kind')),
    family('malformed', 'counter', 'SENDs that were refused as malformed', [[{}, malformed]]),
    family('unshown', 'counter', 'Readings of sensors beyond the most that are shown', [
      [{}, unshown],
    ]),
    family(
      'relay_state',
      'gauge',
      'What the relay does',
      STATES.map((state) => [{ state }, Number(relay.state === state)]),
    ),
    family('relay_since_timestamp_seconds', 'gauge', 'Since when, seconds since 1970', [
      [{}, relay.since / 1000],
    ]),
    family('relay_beacon_timestamp_seconds', 'gauge', 'Newest beacon, seconds since 1970', [
      ...(relay.beacon === 0 ? [] : [[{}, relay.beacon / 1000] as const]),
    ]),
    family('relay_expected', 'gauge', 'Events that should have come, by its beacons', [
      [{}, relay.expected],
    ]),
    family('relay_missing', 'gauge', 'Of them, those that never did', [[{}, relay.missing]]),
    family('alarms', 'gauge', 'Alarms that are shown', [[{}, view.alarms().length]]),
    family('sensors', 'gauge', 'Sensors that are shown', [[{}, sensors.length]]),
    family(
      'sensor_value',
      'gauge',
      'Newest value of a sensor, in its unit',
      sensors.map(({ id, name, place, unit, value }) => [{ sensor: id, name, place, unit }, value]),
    ),
    family(
      'sensor_timestamp_seconds',
      'gauge',
      'When that was, seconds since 1970',
      sensors.map(({ id, time }) => [{ sensor: id }, time / 1000]),
    ),
    family('http_connections', 'gauge', 'Connections that are open', [[{}, http.connections]]),
    family('http_streams', 'gauge', 'Streams that are open', [[{}, http.streams]]),
    family('http_exports', 'gauge', 'Exports that are being sent', [[{}, http.exports]]),
    family('http_accepted', 'counter', 'Connections ever', [[{}, http.accepted]]),
    family('http_turned_away', 'counter', 'Connections that were too many', [
      [{}, http.turnedAway],
    ]),
    family('http_received', 'counter', 'Requests', [[{}, http.requests]]),
    family('http_requests', 'counter', 'Answers, by what came of them', all(requests, 'result')),
    family('http_malformed', 'counter', 'Connections that did not speak HTTP properly', [
      [{}, http.malformed],
    ]),
    family('http_streamed', 'counter', 'Streams ever', [[{}, http.streamed]]),
    family('http_cut', 'counter', 'Cut off as they were not read', [
      [{ what: 'stream' }, http.cutStreams],
      [{ what: 'answer' }, http.cutAnswers],
    ]),
    '# EOF\n',
  ].join('');
}

/** A copy of known kinds: whatever else counters hold is not for the public. */
function kindsOf(counters: {
  readonly readings: number;
  readonly alarms: number;
  readonly beacons: number;
  readonly other: number;
  readonly duplicates: number;
}) {
  const { readings, alarms, beacons, other, duplicates } = counters;
  return { readings, alarms, beacons, other, duplicates };
}

/** A family with no sample says nothing; of two samples with the same labels the first counts. */
function family(
  name: string,
  type: 'counter' | 'gauge',
  help: string,
  samples: readonly Sample[],
): string {
  const whole = `tidegate_board_${name}`;
  const lines = new Map<string, string>();
  for (const [labels, value] of samples) {
    const text = formatLabels(labels);
    if (!lines.has(text)) lines.set(text, `${formatNumber(value)}\n`);
  }
  if (lines.size === 0) return '';
  const unit = name.endsWith('_seconds') ? `# UNIT ${whole} seconds\n` : '';
  const series = type === 'counter' ? `${whole}_total` : whole;
  const values = [...lines].map(([labels, value]) => `${series}${labels} ${value}`);
  return `# TYPE ${whole} ${type}\n${unit}# HELP ${whole} ${help}\n${values.join('')}`;
}

function formatNumber(value: number): string {
  if (Number.isFinite(value)) return String(value);
  return Number.isNaN(value) ? 'NaN' : value > 0 ? '+Inf' : '-Inf';
}

function formatLabels(labels: Labels): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escape(value)}"`);
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`;
}

/** OpenMetrics 1.0, "Escaping"; control characters and halves of surrogates mean nothing there. */
function escape(value: string): string {
  return value
    .replace(/[\p{Cc}\p{Cs}\u2028\u2029]/gu, '\ufffd')
    .replaceAll('\\', '\\\\')
    .replaceAll('"', '\\"');
}
