import { spawnSync } from 'node:child_process';
import t from 'tap';
import { fakeSensor, FakeView, NOON } from '../fake.js';
import { Served } from './served.js';

/** Debian's python3-prometheus-client, for its own interpreter. */
const PYTHON = '/usr/bin/python3';
const PARSE = `
import json, sys
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse
print(json.dumps([
    [family.name, family.type, family.unit, [[s.name, s.labels, str(s.value)] for s in family.samples]]
    for family in parse(sys.stdin.read())
]))`;
const lacking = spawnSync(PYTHON, ['-c', 'import prometheus_client']).status !== 0;
const required = process.env['TIDEGATE_REQUIRE_ALL'] === '1';
const needsPython =
  lacking && !required ? { skip: 'needs the package python3-prometheus-client' } : {};

type Parsed = [string, string, string, [string, Record<string, string>, string][]][];

function oddView(): FakeView {
  const view = FakeView.of(2);
  view.show(fakeSensor(2, { name: 'a "b" \\c\n{d} \u00fc \x1b[2J\u2028\ud800', unit: '' }), NaN);
  view.show(fakeSensor(3), -Infinity);
  view.show(fakeSensor(4), 1e-300);
  view.setCounters({ events: 10, readings: 7, duplicates: 3, malformed: 2 });
  view.setRelay({ state: 'live', beacon: NOON + 500, expected: 12, missing: 2 });
  return view;
}

await t.test(
  "Debian's Prometheus client takes the metrics for what they are",
  needsPython,
  async (t) => {
    const served = await Served.start(t, {}, oddView());
    const { headers, text } = await served.ask('/metrics');
    t.equal(headers['content-type'], 'application/openmetrics-text; version=1.0.0; charset=utf-8');
    const { stdout, stderr, status } = spawnSync(PYTHON, ['-c', PARSE], {
      input: text,
      encoding: 'utf8',
    });
    t.equal(status, 0, stderr);
    const families = new Map((JSON.parse(stdout) as Parsed).map((family) => [family[0], family]));
    t.equal(families.size, text.match(/^# TYPE/gm)?.length);
    const values = families.get('tidegate_board_sensor_value')![3];
    t.same(
      values.map(([, , value]) => value),
      ['20', '20.1', 'nan', '-inf', '1e-300'],
    );
    t.equal(values[2]![1]['name'], 'a "b" \\c\ufffd{d} \u00fc \ufffd[2J\ufffd\ufffd');
    t.equal(families.get('tidegate_board_started_timestamp_seconds')![2], 'seconds');
    t.end();
  },
);

await t.test('what monitoring wants is there', async (t) => {
  const served = await Served.start(t, {}, oddView());
  Object.assign(served.history.counters, { added: 9, kept: 4, dropped: 3, waiting: 2 });
  Object.assign(served.link.counters, { open: 7, sessions: 5, refused: 4, readers: 3, dropped: 2 });
  await served.ask('/nothing');
  const { text } = await served.ask('/metrics');
  const lines = text.split('\n');
  for (const line of [
    'tidegate_board_received_total 10',
    'tidegate_board_events_total{kind="readings"} 7',
    'tidegate_board_events_total{kind="duplicates"} 3',
    'tidegate_board_malformed_total 2',
    'tidegate_board_relay_state{state="live"} 1',
    'tidegate_board_relay_state{state="away"} 0',
    'tidegate_board_relay_missing 2',
    `tidegate_board_relay_beacon_timestamp_seconds ${NOON / 1000 + 0.5}`,
    'tidegate_board_sensors 5',
    'tidegate_board_history_added_total 9',
    'tidegate_board_history_events_total{result="kept"} 4',
    'tidegate_board_history_events_total{result="dropped"} 3',
    'tidegate_board_history_waiting 2',
    'tidegate_board_history_readings_total{result="added"} 0',
    'tidegate_board_link_connections 7',
    'tidegate_board_link_sessions 5',
    'tidegate_board_link_sent_away_total{reason="limit"} 4',
    'tidegate_board_link_sent_away_total{reason="readers"} 3',
    'tidegate_board_link_dropped_total 2',
    'tidegate_board_http_requests_total{result="refused"} 1',
    '# EOF',
  ]) {
    t.ok(lines.includes(line), line);
  }
  const bare = await Served.start(t, {}, new FakeView());
  t.notMatch((await bare.ask('/metrics')).text, /beacon_timestamp|sensor_value/);
});
