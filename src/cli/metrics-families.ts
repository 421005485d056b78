/** What monitoring wants to know of a relay, as families of metrics. */
import { counter, flag, gauge, inUnit, sample, time } from '../metrics/family.js';
import { describeChannels, describeSources, describeUppers } from './metrics-flow.js';
import type { Family } from '../metrics/text.js';
import { isRunning, linksOf, type Look } from './status-look.js';
import { certificatesOf, type Judgement } from './status-verdict.js';

const NUMBERS = { well: 0, degraded: 1, down: 2 } as const;

/**
 * All families. Of a relay that does not run there are the counters that its next processes go on
 * with, what is 0 then, and what stands in files: certificates.
 */
export function describeMetrics(look: Look, { verdict }: Judgement): Family[] {
  return [
    gauge('up', 'Whether the relay runs and writes its status', [flag({}, isRunning(look))]),
    gauge('verdict', 'That of tidegate status: 0 well, 1 degraded, 2 down', [
      sample({}, NUMBERS[verdict]),
    ]),
    ...describeStatuses(look),
    ...describeSources(look),
    ...describeChannels(look),
    ...describeUppers(look),
    ...describeLinks(look),
    ...describeGate(look),
    ...describeFiles(look),
    ...describeProcesses(look),
  ];
}

function describeStatuses(look: Look): Family[] {
  const seen = [
    { labels: { process: 'supervisor' }, seen: look.supervisor },
    { labels: { process: 'gate' }, seen: look.gate },
    ...[...look.uppers].map(([upper, each]) => ({
      labels: { process: 'upper', upper },
      seen: each,
    })),
  ];
  return [
    gauge(
      'status_broken',
      'Whether a process has written a status that is none',
      seen.map(({ labels, seen: { broken } }) => flag(labels, broken !== undefined)),
    ),
    time(
      'status',
      'When a process wrote its status',
      seen.flatMap(({ labels, seen: { status } }) =>
        status ? [sample(labels, status.time / 1000)] : [],
      ),
    ),
  ];
}

function describeLinks(look: Look): Family[] {
  const running = isRunning(look);
  const links = linksOf(look);
  const status = look.supervisor.status;
  const of = (kind: 'lower' | 'upper', label: string): Family[] => {
    const all = links.filter((link) => link.kind === kind);
    return [
      gauge(
        `${kind}_up`,
        `Whether the link with a${kind === 'upper' ? 'n' : ''} ${kind} server is up`,
        all.map(({ name, state }) => flag({ [label]: name }, running && state === 'up')),
      ),
      time(
        `${kind}_since`,
        `Since when it has been up, or not`,
        running ? all.map(({ name, since }) => sample({ [label]: name }, since / 1000)) : [],
      ),
    ];
  };
  const connections = (status?.uppers ?? []).map((each) =>
    sample({ upper: each.name }, each.connections),
  );
  const script = (status?.lowers ?? []).map((each) => sample({ source: each.name }, each.script));
  return [
    ...of('lower', 'source'),
    ...of('upper', 'upper'),
    counter('upper_connections', 'Connections since the supervisor began', connections),
    inUnit(
      counter('lower_script_bytes', 'Bytes written to a lower server: its login', script),
      'bytes',
    ),
  ];
}

function describeGate(look: Look): Family[] {
  const running = isRunning(look);
  const status = look.supervisor.status;
  const gate = look.gate.status;
  const up = running && status?.gate.state === 'up';
  const policy = running ? gate?.policy : undefined;
  const revisions = (policy?.policies ?? []).map(({ id, revision }) =>
    sample({ policy: id, revision: String(revision), digest: policy!.digest }, 1),
  );
  const refused = status?.reload?.state === 'refused' || policy?.refused !== undefined;
  return [
    gauge('gate_up', 'Whether the gate runs', [flag({}, up)]),
    counter(
      'gate_starts',
      'Gates started since the supervisor began',
      status ? [sample({}, status.gate.starts)] : [],
    ),
    gauge('forwarding', 'Whether what is permitted goes out', [
      flag({}, up && gate?.forwarding === true),
    ]),
    { ...counter('policy', 'The policies in force', revisions), type: 'info' },
    time(
      'policy_since',
      'Since when they are in force',
      policy ? [sample({}, policy.since / 1000)] : [],
    ),
    gauge(
      'policy_refused',
      'Whether the last policies that were to be put in force were refused',
      running ? [flag({}, refused)] : [],
    ),
    counter('audit_leaves', 'Leaves in the audit log', [
      ...(gate?.audit ? [sample({ relay: gate.audit.relay }, gate.audit.leaves)] : []),
    ]),
    gauge('audit_signed', 'Of them, those that a checkpoint of this run signs', [
      ...(gate?.audit ? [sample({ relay: gate.audit.relay }, gate.audit.signed)] : []),
    ]),
    gauge(
      'seal_in_force',
      'Whether a seal is in force',
      running ? status!.seals.map(({ seal, inForce }) => flag({ seal }, inForce)) : [],
    ),
  ];
}

function describeFiles(look: Look): Family[] {
  const certificates = certificatesOf(look);
  return [
    time(
      'certificate_expiry',
      "When a certificate expires: the relay's own, the authority's, the server's (peer)",
      certificates.map(({ upper, part, expires }) => sample({ upper, part }, expires / 1000)),
    ),
    gauge(
      'certificate_refused',
      'Whether the file of a certificate has changed and is not taken',
      certificates.flatMap(({ upper, part, refused }) =>
        part === 'peer' ? [] : [flag({ upper, part }, refused !== undefined)],
      ),
    ),
  ];
}

function describeProcesses(look: Look): Family[] {
  const all = (isRunning(look) ? (look.supervisor.status?.processes ?? []) : []).map((known) => {
    const { process, name } = known;
    const below = process === 'lower' || process === 'valve';
    const of = name === undefined ? {} : { [below ? 'source' : 'upper']: name };
    return { ...known, labels: { process, ...of } };
  });
  return [
    inUnit(
      gauge(
        'process_resident_memory_bytes',
        'Resident memory',
        all.flatMap(({ labels, memory }) => (memory === undefined ? [] : [sample(labels, memory)])),
      ),
      'bytes',
    ),
    inUnit(
      counter(
        'process_cpu_seconds',
        'Processor time',
        all.flatMap(({ labels, cpu }) => (cpu === undefined ? [] : [sample(labels, cpu / 1000)])),
      ),
      'seconds',
    ),
    time(
      'process_start',
      'When a process began',
      all.map(({ labels, started }) => sample(labels, started / 1000)),
    ),
  ];
}
