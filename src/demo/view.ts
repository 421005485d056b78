/** The demo's view: the pipeline with its counters, for a terminal or as plain lines. */
import type { Account } from '../beacon/watch.js';
import { type Paint, type Palette, palette } from '../terminal/palette.js';
import type {
  Decision,
  GateStatus,
  SealStatus,
  SupervisorStatus,
  UpperStatus,
} from '../wire/status.js';
import type { Tally } from './tally.js';

export interface Picture {
  readonly seconds: number;
  readonly seed: number;
  readonly state: string;
  /** Address of its page. */
  readonly board: string;
  readonly sent: number;
  readonly tally: Tally;
  readonly gate: GateStatus | undefined;
  readonly upper: UpperStatus | undefined;
  readonly supervisor: SupervisorStatus | undefined;
  readonly delivered: number;
  readonly duplicates: number;
  /** By the relay's newest beacon. */
  readonly account: Account | undefined;
  readonly protocol: string;
  readonly down: { readonly script: number; readonly after: number };
  readonly connections: number;
}

const number = (value: number): string => value.toLocaleString('en-US');

/** Pads to a width; what is longer is cut. */
function fit(text: string, width: number): string {
  return text.length > width ? `${text.slice(0, width - 1)}…` : text.padEnd(width);
}

function stages(picture: Picture): [string, string, string][] {
  const { tally, gate, upper } = picture;
  const journalled = gate?.channels[0]?.journalled ?? 0;
  return [
    ['plant', 'the lower server', `${number(picture.sent)} events sent`],
    ['lower', 'logs in, hands over', `${number(picture.connections)} connection(s)`],
    ['valve', 'reads, one way', `${number(tally.in)} lines`],
    [
      'gate',
      'decides',
      `${number(tally.permitted)} permitted · ${number(tally.denied)} denied · ` +
        `${number(tally.malformed)} malformed · ${number(tally.lost)} lost`,
    ],
    ['journal', 'files, read-only above', `${number(journalled)} records`],
    [
      'upper',
      `sends, ${picture.protocol === '' ? 'TLS' : picture.protocol}`,
      upper
        ? `${number(upper.answered)} answered · ${number(upper.refused)} refused · ` +
          // The two status files are of different moments.
          `${number(Math.max(0, journalled - upper.answered - upper.refused - upper.expired))} pending`
        : 'connecting',
    ],
    [
      'portal',
      'the upper server',
      `${number(picture.delivered)} delivered · ${number(picture.duplicates)} duplicates`,
    ],
  ];
}

function decisions(list: readonly Decision[], colour: Paint, mark: string): string[] {
  return list
    .slice(0, 4)
    .map(
      (d) =>
        `  ${colour(mark)} ${fit(d.class, 20)} ${fit(d.type, 22)} ${colour(fit(d.rule, 28).trimEnd())}`,
    );
}

/** Those in force, and why the others are not. */
function drawSeals(seals: readonly SealStatus[], c: Palette): string {
  const marks = seals.map(({ seal, inForce }) =>
    inForce ? c.green(`✓ ${seal}`) : c.red(`✗ ${seal}`),
  );
  const reason = seals.find(({ inForce }) => !inForce)?.reason;
  return [...marks, ...(reason === undefined ? [] : [c.dim(fit(reason, 70).trimEnd())])].join('  ');
}

/** What the upper side knows by the relay's newest beacon. */
function drawBeacon(account: Account | undefined, c: Palette): string {
  if (!account) return c.dim('none yet');
  const { beacon, expected, missing } = account;
  const [source] = beacon.sources;
  const root = Buffer.from(beacon.root).toString('hex', 0, 4);
  const lack = `${number(missing)} of ${number(expected)} missing`;
  return [
    missing === 0 ? c.green(lack) : c.red(lack),
    `plant silent for ${number(source?.silence ?? 0)} s`,
    `audit log: ${number(beacon.size)} leaves, root ${root}…`,
  ].join(' · ');
}

/** The lines of the live view. */
export function drawPicture(picture: Picture, colours: boolean): string[] {
  const c = palette(colours);
  const { gate, supervisor, down } = picture;
  const processes = (supervisor?.processes ?? []).map(({ process, pid }) => `${process} ${pid}`);
  const after = `after it: ${number(down.after)}`;
  return [
    `${c.bold('tidegate demo')}  ${c.dim(`${picture.seconds} s · seed ${picture.seed} · state ${picture.state}`)}`,
    '',
    ...stages(picture).flatMap(([name, role, text], i) => [
      ...(i === 0 ? [] : [c.dim('    │')]),
      `  ${c.cyan(fit(name, 8))} ${c.dim(fit(role, 38))} ${text}`,
    ]),
    '',
    `  ${c.bold('bytes sent down')}  login script: ${number(down.script)}, ` +
      (down.after === 0 ? c.green(after) : c.red(after)),
    `  ${c.bold('seals')}            ${drawSeals(supervisor?.seals ?? [], c)}`,
    `  ${c.bold('beacon')}           ${drawBeacon(picture.account, c)}`,
    `  ${c.bold('board')}            ${c.cyan(picture.board)}`,
    gate?.forwarding === false ? `  ${c.red(`nothing goes out: ${gate.reason ?? ''}`)}` : '',
    `  ${c.bold('last permitted')}  ${c.dim('class, type, the rule that decided')}`,
    ...decisions(gate?.recent.permitted ?? [], c.green, '✓'),
    `  ${c.bold('last denied')}`,
    ...decisions(gate?.recent.denied ?? [], c.red, '✗'),
    '',
    c.dim(`  ${processes.join(' · ')}`),
    c.dim('  Ctrl-C ends it'),
  ];
}

/** One plain line, for a pipe or a file. */
export function drawLine(picture: Picture): string {
  const { tally, down } = picture;
  return (
    `${picture.seconds} s: sent ${picture.sent}, in ${tally.in} = permitted ${tally.permitted} + ` +
    `denied ${tally.denied} + malformed ${tally.malformed} + lost ${tally.lost}; delivered ` +
    `${picture.delivered}; bytes down: script ${down.script}, after ${down.after}`
  );
}
