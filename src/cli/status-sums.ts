/** The counters of the view: what came in, what became of it, how far it has gone. */
import type { Palette } from '../terminal/palette.js';
import { sum } from '../wire/status.js';
import { grouped, rate } from './amounts.js';
import { backlogOf, isRunning, type Look } from './status-look.js';
import { describeLoss } from './status-verdict.js';
import { type Cell, columns, drawTable, type Row } from './table.js';

type Counts = Readonly<Record<string, number>>;

/** The kinds or reasons that are counted, the most frequent first. */
function listCounts(what: string, counts: Counts): string[] {
  const entries = Object.entries(counts)
    .filter(([, n]) => n > 0)
    .sort(([, a], [, b]) => b - a);
  if (entries.length === 0) return [];
  return [`${what}: ${entries.map(([name, n]) => `${name} ${grouped(n)}`).join(', ')}`];
}

const alarming = (n: number, c: Palette): Cell => ({
  text: grouped(n),
  ...(n > 0 ? { paint: c.red } : {}),
});

export function drawSources(look: Look, width: number, c: Palette): string[] {
  const gate = look.gate.status;
  if (!gate) return broken('sources', 'the gate', look.gate.broken, c);
  const running = isRunning(look);
  const rows = Object.entries(gate.sources).map(([name, source]): Row => {
    const rates = running ? gate.rates.sources[name] : undefined;
    const loss = gate.losses[name];
    return {
      cells: [
        name,
        rates ? rate(rates.in) : '',
        rates ? rate(rates.permitted) : '',
        grouped(source.in),
        grouped(source.permitted),
        grouped(source.denied),
        grouped(sum(source.malformed)),
        alarming(sum(source.lost), c),
      ],
      notes: [
        ...listCounts('malformed', source.malformed),
        ...listCounts('lost', source.lost),
        ...(loss ? [`last loss: ${describeLoss(look, loss)}`] : []),
        ...(source.interruptions > 0 ? [`interruptions: ${grouped(source.interruptions)}`] : []),
      ],
    };
  });
  const head = ['sources', 'in/s>', 'permitted/s>?', 'in>', 'permitted>'];
  return drawTable(columns(...head, 'denied>', 'malformed>', 'lost>'), rows, width, c);
}

function broken(title: string, who: string, why: string | undefined, c: Palette): string[] {
  return why === undefined ? [] : [c.bold(title), `  the status of ${who} is broken: ${why}`];
}

export function drawChannels(look: Look, width: number, c: Palette): string[] {
  const gate = look.gate.status;
  const running = isRunning(look);
  const rows = (gate?.channels ?? []).map((channel): Row => {
    const flow = running ? gate?.rates.channels[channel.channel] : undefined;
    return {
      cells: [
        channel.channel,
        flow === undefined ? '' : rate(flow),
        grouped(channel.permitted),
        grouped(sum(channel.absorbed)),
        grouped(channel.open),
        grouped(sum(channel.withheld)),
        grouped(channel.journalled),
        grouped(channel.urgent),
      ],
      notes: [
        ...listCounts('absorbed', channel.absorbed),
        ...listCounts('withheld', channel.withheld),
      ],
    };
  });
  const head = ['channels', 'out/s>', 'permitted>', 'absorbed>', 'open>', 'withheld>'];
  const titles = columns(...head, 'journalled>', 'urgent>?');
  return rows.length === 0 ? [] : drawTable(titles, rows, width, c);
}

export function drawUppers(look: Look, width: number, c: Palette): string[] {
  const running = isRunning(look);
  const rows = [...look.uppers].map(([name, seen]): Row => {
    const { status } = seen;
    if (!status) {
      const why = seen.broken === undefined ? 'no status yet' : `broken status: ${seen.broken}`;
      return { cells: [name], notes: [why] };
    }
    const backlog = backlogOf(look, status);
    return {
      cells: [
        name,
        running ? rate(status.rate) : '',
        grouped(status.answered),
        alarming(status.refused, c),
        alarming(status.expired, c),
        backlog ? grouped(backlog.routine + backlog.urgent) : '?',
        backlog ? grouped(backlog.urgent) : '?',
        grouped(status.resent),
        status.channel,
      ],
      notes: status.loss ? [`last loss: ${describeLoss(look, status.loss)}`] : [],
    };
  });
  const head = ['uppers', 'out/s>', 'answered>', 'refused>', 'expired>', 'pending>', 'urgent>'];
  const titles = columns(...head, 'resent>?', 'channel?');
  return rows.length === 0 ? [] : drawTable(titles, rows, width, c);
}
