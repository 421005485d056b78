/** The view of a running relay: the verdict first, then what it stands on. */
import { palette, type Palette } from '../terminal/palette.js';
import { date, days, grouped, rate, size, span } from './amounts.js';
import { count } from './policy-files.js';
import { isRunning, linksOf, type Look } from './status-look.js';
import { drawChannels, drawSources, drawUppers } from './status-sums.js';
import { certificatesOf, describeCause, EXPIRES_SOON, type Judgement } from './status-verdict.js';
import { columns, drawTable, type Row, wrap } from './table.js';

export interface ViewOptions {
  /** Columns; Infinity: nothing is wrapped. */
  readonly width: number;
  readonly colours: boolean;
}

/** The lines of the view; the first one is the verdict and its first reason. */
export function drawStatus(look: Look, judgement: Judgement, options: ViewOptions): string[] {
  const c = palette(options.colours);
  const sections = [
    drawVerdict(look, judgement, options.width, c),
    drawFacts(look, options.width, c),
    ...[drawLinks, drawSources, drawChannels, drawUppers, drawCertificates, drawProcesses].map(
      (draw) => draw(look, options.width, c),
    ),
  ];
  return sections
    .filter((lines) => lines.length > 0)
    .flatMap((lines, i) => (i === 0 ? lines : ['', ...lines]));
}

function drawVerdict(
  look: Look,
  { verdict, reasons }: Judgement,
  width: number,
  c: Palette,
): string[] {
  const paint = { well: c.green, degraded: c.yellow, down: c.red }[verdict];
  const links = linksOf(look);
  const all = (kind: 'lower' | 'upper'): string =>
    count(links.filter((link) => link.kind === kind).length, kind);
  const texts = reasons.map(({ text }) => text);
  if (verdict === 'well') texts.push(`${all('lower')} and ${all('upper')} up, events go out`);
  const indent = verdict.length + 2;
  return texts.flatMap((text, i) => {
    const lines = wrap(text, width - indent, 0).map((line) => ' '.repeat(indent) + line);
    if (i > 0) return lines;
    return [`${paint(c.bold(`${verdict}:`))} ${lines[0]!.slice(indent)}`, ...lines.slice(1)];
  });
}

function drawFacts(look: Look, width: number, c: Palette): string[] {
  const { pid, now, state } = look;
  const supervisor = look.supervisor.status;
  const gate = look.gate.status;
  const facts: [string, string][] = [];
  const own = supervisor?.processes.find((known) => known.process === 'supervisor');
  const age = own ? `, for ${span(now - own.started)}` : '';
  const config = supervisor ? `; ${supervisor.config}` : '';
  facts.push([
    'relay',
    `${pid === undefined ? 'not running' : `pid ${pid}${age}`}${config}; state ${state}`,
  ]);
  if (gate) {
    const rates = Object.values(gate.rates.sources);
    const add = (pick: (each: (typeof rates)[number]) => number): string =>
      rate(rates.reduce((total, each) => total + pick(each), 0));
    const flow = `${add((each) => each.in)} events/s in, ${add((each) => each.permitted)} permitted`;
    const starts = supervisor ? `, ${count(supervisor.gate.starts, 'start')}` : '';
    const what = gate.forwarding ? 'forwarding' : `nothing goes out: ${gate.reason ?? ''}`;
    const running = isRunning(look) ? `${what}; ${flow}; ` : '';
    facts.push(['gate', `${running}started ${span(now - gate.started)} ago${starts}`]);
    const { policies, digest, since, number, refused } = gate.policy;
    const names = policies.map(({ id, revision }) => `${id} revision ${revision}`).join(', ');
    const by = number === 0 ? 'since the start' : `by reload ${number}`;
    facts.push([
      'policies',
      `${names}; digest ${digest.slice(0, 12)}; in force ${by}, for ${span(now - since)}`,
    ]);
    if (gate.audit) {
      const { relay, leaves, signed } = gate.audit;
      const signature = signed > 0 ? `the first ${grouped(signed)} signed` : 'none signed yet';
      facts.push(['audit', `log of ${relay}: ${grouped(leaves)} leaves, ${signature}`]);
    }
    if (refused) facts.push(['refused', refusal(now, refused.time, refused.reason)]);
  }
  const reload = supervisor?.reload;
  if (reload && reload.state !== 'handed') {
    const text = refusal(now, reload.time, reload.reason ?? '');
    facts.push(['reload', reload.state === 'refused' ? `refused ${text}` : `${reload.state} ...`]);
  }
  const seals = supervisor?.seals ?? [];
  const lines = facts.flatMap(([name, text]) => {
    const lines = wrap(text, width - 10, 0);
    return lines.map((line, i) => `${i === 0 ? c.bold(name.padEnd(10)) : ' '.repeat(10)}${line}`);
  });
  if (seals.length > 0) {
    const marks = seals.map(({ seal, inForce }) =>
      inForce ? c.green(`✓ ${seal}`) : c.red(`✗ ${seal}`),
    );
    lines.push(`${c.bold('seals'.padEnd(10))}${marks.join('  ')}`);
  }
  return lines;
}

function refusal(now: number, time: number, reason: string): string {
  return `${span(now - time)} ago: ${reason.split('\n').slice(0, 3).join('; ')}`;
}

function drawLinks(look: Look, width: number, c: Palette): string[] {
  const running = isRunning(look);
  const rows = linksOf(look).map(({ kind, name, state, since, connections, cause }): Row => {
    const known = running ? state : 'unknown';
    const paint = known === 'up' ? c.green : c.red;
    return {
      cells: [
        `${kind} ${name}`,
        { text: known, paint },
        running ? span(look.now - since) : '',
        grouped(connections),
        cause === undefined ? '' : describeCause(cause),
      ],
    };
  });
  const titles = columns('links', 'state', 'for>', 'connections>', 'last one ended');
  return rows.length === 0 ? [] : drawTable(titles, rows, width, c);
}

function drawCertificates(look: Look, width: number, c: Palette): string[] {
  const rows = certificatesOf(look).map(({ upper, part, file, expires, refused }): Row => {
    const left = expires - look.now;
    const text = left <= 0 ? 'expired' : days(left);
    return {
      cells: [
        `${upper} ${part === 'peer' ? "server's" : part}`,
        { text, paint: left < EXPIRES_SOON ? c.red : c.green },
        date(expires),
        file ?? '',
      ],
      notes: refused === undefined ? [] : [`the file has changed and is not taken: ${refused}`],
    };
  });
  const titles = columns('certificates', 'left>', 'until', 'file?');
  return rows.length === 0 ? [] : drawTable(titles, rows, width, c);
}

function drawProcesses(look: Look, width: number, c: Palette): string[] {
  const processes = isRunning(look) ? (look.supervisor.status?.processes ?? []) : [];
  const rows = processes.map(({ process, name, pid, started, memory, cpu }): Row => ({
    cells: [
      name === undefined ? process : `${process} ${name}`,
      String(pid),
      span(look.now - started),
      memory === undefined ? '' : size(memory),
      cpu === undefined ? '' : `${grouped(cpu / 1000)} s`,
    ],
  }));
  const titles = columns('processes', 'pid>', 'for>', 'memory>', 'CPU>');
  return rows.length === 0 ? [] : drawTable(titles, rows, width, c);
}
