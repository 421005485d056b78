/** What the board knows and counts, as OpenMetrics 1.0 text. */
import { counter, flag, gauge, sample, time } from '../../metrics/family.js';
import { renderMetrics as renderFamilies, type Sample } from '../../metrics/text.js';
import type { BoardView, HistoryCounters, LinkState } from '../../sensor/view.js';
import type { LinkCounters } from '../link/server.js';
import type { HttpCounters } from './counters.js';

export const METRICS_TYPE = 'application/openmetrics-text; version=1.0.0; charset=utf-8';

const STATES: readonly LinkState[] = ['never', 'live', 'silent', 'away'];

/** One sample for each of known names: whatever else counters hold is not for the public. */
function each<Name extends string>(
  label: string,
  counts: Readonly<Record<Name, number>>,
  names: readonly Name[],
): Sample[] {
  return names.map((name) => sample({ [label]: name }, counts[name]));
}

const one = (value: number): Sample[] => [sample({}, value)];

export function renderMetrics(
  view: BoardView,
  history: HistoryCounters,
  http: Readonly<HttpCounters>,
  link: Readonly<LinkCounters>,
): string {
  const counters = view.counters();
  const relay = view.relay();
  const sensors = view.sensors();
  const families = [
    time('board_started', 'When the board began', one(view.started / 1000)),
    counter('board_received', 'Events that relays sent', one(counters.events)),
    counter(
      'board_events',
      'Of them, by what they were',
      each('kind', counters, ['readings', 'alarms', 'beacons', 'other', 'duplicates']),
    ),
    counter('board_malformed', 'SENDs that were refused as malformed', one(counters.malformed)),
    counter(
      'board_unshown',
      'Readings of sensors beyond the most that are shown',
      one(counters.unshown),
    ),
    counter(
      'board_unverified',
      'Beacons that no key of their relay has signed',
      one(counters.unverified),
    ),
    gauge(
      'board_relay_state',
      'What the relay does',
      STATES.map((state) => flag({ state }, relay.state === state)),
    ),
    time('board_relay_since', 'Since when', one(relay.since / 1000)),
    time('board_relay_beacon', 'Newest beacon', relay.beacon === 0 ? [] : one(relay.beacon / 1000)),
    gauge(
      'board_relay_expected',
      'Events that should have come, by its beacons',
      one(relay.expected),
    ),
    gauge('board_relay_missing', 'Of them, those that never did', one(relay.missing)),
    gauge('board_alarms', 'Alarms that are shown', one(view.alarms().length)),
    gauge('board_sensors', 'Sensors that are shown', one(sensors.length)),
    gauge(
      'board_sensor_value',
      'Newest value of a sensor, in its unit',
      sensors.map(({ id, name, place, unit, value }) => {
        return sample({ sensor: id, name, place, unit }, value);
      }),
    ),
    time(
      'board_sensor',
      'When that was',
      sensors.map(({ id, time }) => sample({ sensor: id }, time / 1000)),
    ),
    counter('board_history_added', 'Events that were to be kept', one(history.added)),
    counter(
      'board_history_events',
      'Of them, by what came of them',
      each('result', history, ['kept', 'dropped']),
    ),
    gauge('board_history_waiting', 'Of them, not yet written', one(history.waiting)),
    counter(
      'board_history_readings',
      'Of the events that are kept, their readings',
      each('result', { ...history, added: history.readings }, [
        'added',
        'duplicates',
        'late',
        'refused',
      ]),
    ),
    counter('board_history_restarts', 'Times it had to be begun anew', one(history.restarts)),
    counter('board_history_questions', 'Questions put to it', one(history.questions)),
    counter(
      'board_history_unanswered',
      'Of them, those that had no answer',
      each('reason', history, ['busy', 'slow']),
    ),
    gauge('board_link_connections', 'Connections of relays and readers', one(link.open)),
    gauge('board_link_sessions', 'Of them, those that have logged in', one(link.sessions)),
    counter('board_link_accepted', 'Connections ever', one(link.connections)),
    counter('board_link_logins', 'Logins', one(link.logins)),
    counter(
      'board_link_sent_away',
      'Peers that were sent away',
      each('reason', { ...link, limit: link.refused }, [
        ...(['limit', 'readers', 'handshakes', 'untrusted', 'late', 'passwords'] as const),
        ...(['certificates', 'overlong', 'stalled'] as const),
      ]),
    ),
    counter('board_link_dropped', 'Events that slow readers did not get', one(link.dropped)),
    gauge('board_http_connections', 'Connections that are open', one(http.connections)),
    gauge('board_http_streams', 'Streams that are open', one(http.streams)),
    gauge('board_http_exports', 'Exports that are being sent', one(http.exports)),
    counter('board_http_accepted', 'Connections ever', one(http.accepted)),
    counter('board_http_turned_away', 'Connections that were too many', one(http.turnedAway)),
    counter('board_http_received', 'Requests', one(http.requests)),
    counter(
      'board_http_requests',
      'Answers, by what came of them',
      each('result', http, ['answered', 'unchanged', 'limited', 'refused', 'failed']),
    ),
    counter(
      'board_http_malformed',
      'Connections that did not speak HTTP properly',
      one(http.malformed),
    ),
    counter('board_http_streamed', 'Streams ever', one(http.streamed)),
    counter(
      'board_http_cut',
      'Cut off as they were not read',
      each('what', { stream: http.cutStreams, answer: http.cutAnswers }, ['stream', 'answer']),
    ),
  ];
  return renderFamilies(families, 'openmetrics');
}
