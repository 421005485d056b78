import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { UsageError } from '../../src/cli/arguments.js';
import { describeMetrics } from '../../src/cli/metrics-families.js';
import { LOST } from '../../src/cli/metrics-flow.js';
import { metrics } from '../../src/cli/metrics.js';
import { type Family, renderMetrics } from '../../src/metrics/text.js';
import type { Look } from '../../src/cli/status-look.js';
import { judge } from '../../src/cli/status-verdict.js';
import { LOST_REASONS } from '../../src/gate/counters.js';
import { lookOf, NOON, RelayFiles, wellStatuses } from './statuses.js';

function run(args: readonly string[]) {
  const out: string[] = [];
  const err: string[] = [];
  const code = metrics(args, { out: (line) => out.push(line), err: (line) => err.push(line) });
  return { code, out: out.map((line) => `${line}\n`).join(''), err: err.join('\n') };
}

const families = (look: Look): Family[] => describeMetrics(look, judge(look));
const openMetrics = (look: Look): string => renderMetrics(families(look), 'openmetrics');
/** Lines of samples, without what describes them. */
const samplesOf = (text: string): string[] =>
  text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));

/** Debian's python3-prometheus-client, for its own interpreter. */
const PYTHON = '/usr/bin/python3';
const PARSE = `
import json, sys
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families as textfile
parse = openmetrics if sys.argv[1] == 'openmetrics' else textfile
print(json.dumps([
    [family.name, family.type, family.unit, [[s.name, s.labels, s.value] for s in family.samples]]
    for family in parse(sys.stdin.read())
]))`;
const lacking = spawnSync(PYTHON, ['-c', 'import prometheus_client']).status !== 0;
const required = process.env['TIDEGATE_REQUIRE_ALL'] === '1';
const needsPython =
  lacking && !required ? { skip: 'needs the package python3-prometheus-client' } : {};

type Parsed = [
  name: string,
  type: string,
  unit: string,
  samples: [string, Record<string, string>, number][],
][];

function parse(text: string, format: 'openmetrics' | 'textfile'): Parsed {
  const { stdout, stderr, status } = spawnSync(PYTHON, ['-c', PARSE, format], {
    input: text,
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(stderr);
  return JSON.parse(stdout) as Parsed;
}

/** All families, with labels that need escapes. */
function strange(): Family[] {
  const labels = { reason: 'a "b" \\c\\n, {d} \u00fc \x1b[2J\nx \ud800' };
  const odd: Family = {
    name: 'tidegate_odd',
    type: 'counter',
    help: 'Odd',
    samples: [
      { labels, value: 0.1 },
      { labels: { reason: '' }, value: 8.64e15 },
    ],
  };
  return [...families(lookOf((s) => (s.portal.loss = { time: NOON, reason: 'x', count: 1 }))), odd];
}

await t.test(
  "Debian's Prometheus client takes both formats for what they are",
  needsPython,
  (t) => {
    const all = strange();
    for (const format of ['openmetrics', 'textfile'] as const) {
      const parsed = parse(renderMetrics(all, format), format);
      t.equal(parsed.length, all.length, format);
      for (const [i, { name, type, unit = '', samples }] of all.entries()) {
        const [known, knownType, knownUnit, found] = parsed[i]!;
        const openly = format === 'openmetrics';
        t.equal(known, type === 'info' && !openly ? `${name}_info` : name);
        t.equal(knownType, type === 'info' && !openly ? 'gauge' : type);
        if (openly) t.equal(knownUnit, unit);
        t.same(
          found.map(([, , value]) => value),
          samples.map(({ value }) => value),
          name,
        );
      }
      const odd = parsed.at(-1)![3][0]!;
      t.same(odd[1], { reason: 'a "b" \\c\\n, {d} \u00fc \ufffd[2J\ufffdx \ufffd' });
    }
    t.throws(() => parse('tidegate_x 1\n', 'openmetrics'), /EOF/, 'the parser is a strict one');
    t.end();
  },
);

await t.test('the units of names are the units that are named', (t) => {
  for (const { name, unit, samples, help } of strange()) {
    t.match(name, /^tidegate_[a-z_]+[a-z]$/);
    t.equal(/_(seconds|bytes)$/.exec(name)?.[1], unit, name);
    t.notMatch(name, /_(total|info)$/);
    t.notMatch(help, /["\\\n]/);
    t.ok(samples.length > 0, name);
  }
  t.end();
});

await t.test('what monitoring wants is there', (t) => {
  const lines = samplesOf(openMetrics(lookOf()));
  for (const line of [
    'tidegate_up 1',
    'tidegate_verdict 0',
    'tidegate_forwarding 1',
    'tidegate_events_received_total{source="plant-a"} 1234567',
    'tidegate_events_malformed_total{source="plant-a",reason="guid"} 4',
    'tidegate_events_lost_total{source="plant-a",reason="overflow"} 12',
    'tidegate_events_lost_total{source="plant-b",reason="overflow"} 0',
    'tidegate_interruptions_total{source="plant-a"} 1',
    'tidegate_channel_absorbed_total{channel="public",reason="window"} 374000',
    'tidegate_journalled_total{channel="public",lane="routine"} 23950',
    'tidegate_journalled_total{channel="public",lane="urgent"} 1050',
    'tidegate_upper_answered_total{upper="portal",lane="urgent"} 1000',
    'tidegate_upper_pending{upper="portal",lane="routine"} 100',
    'tidegate_upper_pending{upper="portal",lane="urgent"} 50',
    'tidegate_upper_resent_total{upper="portal",lane="routine"} 16',
    'tidegate_upper_up{upper="portal"} 1',
    'tidegate_lower_since_timestamp_seconds{source="plant-a"} 1780041601',
    'tidegate_upper_connections_total{upper="portal"} 3',
    'tidegate_seal_in_force{seal="users"} 1',
    'tidegate_certificate_expiry_timestamp_seconds{upper="portal",part="cert"} 1788134400',
    'tidegate_process_resident_memory_bytes{process="valve",source="plant-a"} 66060288',
    'tidegate_process_cpu_seconds_total{process="upper",upper="portal"} 19',
    'tidegate_gate_starts_total 1',
  ]) {
    t.ok(lines.includes(line), line);
  }
  t.match(lines.join('\n'), /^tidegate_policy_info\{policy="alarms",revision="1",digest="3f2a/m);
  t.equal(
    new Set(lines.map((line) => line.replace(/ \S+$/, ''))).size,
    lines.length,
    'no series twice',
  );
  t.same([...LOST], [...LOST_REASONS], 'every reason of the gate is there from the beginning');
  t.end();
});

await t.test('of a relay that is down: 0 for what is of now, and the last counters', (t) => {
  const lines = samplesOf(openMetrics({ ...lookOf(), pid: undefined }));
  for (const line of [
    'tidegate_up 0',
    'tidegate_verdict 2',
    'tidegate_forwarding 0',
    'tidegate_gate_up 0',
    'tidegate_lower_up{source="plant-a"} 0',
    'tidegate_upper_up{upper="portal"} 0',
    'tidegate_events_received_total{source="plant-a"} 1234567',
    'tidegate_upper_pending{upper="portal",lane="routine"} 100',
  ]) {
    t.ok(lines.includes(line), line);
  }
  t.notMatch(lines.join('\n'), /_info|process_cpu|_since_|seal_|outstanding/);
  const none = samplesOf(
    openMetrics({ ...lookOf(), pid: undefined, supervisor: {}, gate: {}, uppers: new Map() }),
  );
  t.same(none, [
    'tidegate_up 0',
    'tidegate_verdict 2',
    'tidegate_status_broken{process="supervisor"} 0',
    'tidegate_status_broken{process="gate"} 0',
    'tidegate_gate_up 0',
    'tidegate_forwarding 0',
  ]);
  t.end();
});

await t.test('a broken status is a metric of its own, and two of a name are one', (t) => {
  const look = lookOf((s) => s.gate.channels.push({ ...s.gate.channels[0]!, permitted: 1 }));
  const lines = samplesOf(
    openMetrics({ ...look, uppers: new Map([['portal', { broken: 'time is missing' }]]) }),
  );
  t.ok(lines.includes('tidegate_status_broken{process="upper",upper="portal"} 1'));
  t.ok(lines.includes('tidegate_upper_up{upper="portal"} 0'));
  t.same(
    lines.filter((line) => line.startsWith('tidegate_channel_permitted')),
    ['tidegate_channel_permitted_total{channel="public"} 400000'],
  );
  t.end();
});

await t.test('from files, to standard output', (t) => {
  const relay = new RelayFiles(t);
  t.match(run(['-c', relay.config]), { code: 0, out: /^tidegate_up 0$/m, err: '' });
  relay.writeAll(wellStatuses(Date.now()));
  relay.lock();
  const { code, out } = run(['-c', relay.config]);
  t.equal(code, 0);
  t.match(out, /^tidegate_up 1$/m);
  t.match(out, /\n# EOF\n$/);
  t.match(run(['-c', `${relay.config}.no`]), { code: 1, out: '', err: /there is no such file/ });
  t.match(run(['--help']), { code: 0, out: /textfile collector/ });
  for (const wrong of [['--textfil'], ['x'], ['--textfile', 'tidegate.txt']]) {
    t.throws(() => run(wrong), UsageError);
  }
  t.end();
});

await t.test('a textfile is replaced in one step, for others to read', needsPython, (t) => {
  const relay = new RelayFiles(t);
  relay.writeAll(wellStatuses(Date.now()));
  const directory = join(relay.state, '..', 'textfile');
  mkdirSync(directory);
  const path = join(directory, 'tidegate.prom');
  const write = () => run(['-c', relay.config, '--textfile', path]);
  const mask = process.umask(0o077);
  t.match(write(), { code: 0, out: '', err: '' });
  const { ino, mode } = statSync(path);
  t.equal(mode & 0o777, 0o644, 'whatever the mask');
  // Of one that was killed.
  writeFileSync(`${path}.next`, 'half');
  t.equal(write().code, 0);
  process.umask(mask);
  t.not(statSync(path).ino, ino, 'another file in its place');
  t.same(readdirSync(directory), ['tidegate.prom']);
  const text = readFileSync(path, 'utf8');
  t.notMatch(text, /# (EOF|UNIT)/);
  t.ok(parse(text, 'textfile').length > 20);

  const none = join(directory, 'none', 'tidegate.prom');
  const failed = run(['-c', relay.config, '--textfile', none]);
  t.match(failed, { code: 1, out: '', err: /^cannot write .*none\/tidegate\.prom: ENOENT$/ });
  mkdirSync(join(directory, 'taken.prom'));
  t.match(run(['-c', relay.config, '--textfile', join(directory, 'taken.prom')]).code, 1);
  t.notOk(existsSync(join(directory, 'taken.prom.next')), 'nothing is left behind');
  t.end();
});
