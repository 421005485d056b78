/** Whether a relay is well: every rule that says it is not, with its reason in words. */
import type { Loss, SealStatus, SupervisorStatus } from '../wire/status.js';
import { DAY, date, days, grouped, span } from './amounts.js';
import { count } from './policy-files.js';
import { lead, type LinkLook, linksOf, type Look, staleness } from './status-look.js';

export type Verdict = 'well' | 'degraded' | 'down';

export interface Reason {
  readonly verdict: Exclude<Verdict, 'well'>;
  readonly text: string;
}

export interface Judgement {
  readonly verdict: Verdict;
  /** The worst first. */
  readonly reasons: readonly Reason[];
}

/** A loss counts for this many ms. */
export const RECENT = 5 * 60_000;
/** A certificate that expires within this many ms is to be renewed. */
export const EXPIRES_SOON = 30 * DAY;

const HANGS = 'it hangs, or its disk takes no writes';

const down = (text: string): Reason => ({ verdict: 'down', text });
const degraded = (text: string): Reason => ({ verdict: 'degraded', text });

export function judge(look: Look): Judgement {
  const reasons = judgeAll(look);
  const worst = reasons.filter(({ verdict }) => verdict === 'down');
  const rest = reasons.filter(({ verdict }) => verdict === 'degraded');
  const verdict = worst.length > 0 ? 'down' : rest.length > 0 ? 'degraded' : 'well';
  return { verdict, reasons: [...worst, ...rest] };
}

function judgeAll(look: Look): Reason[] {
  const { pid, state, supervisor } = look;
  const { status, broken } = supervisor;
  if (pid === undefined) {
    const last = status ? `; its last status is ${span(look.now - status.time)} old` : '';
    return [down(`no relay runs on ${state}${last}`)];
  }
  const who = `the supervisor, pid ${pid},`;
  if (broken !== undefined) {
    const rest = [...judgeGate(look), ...judgeUppers(look), ...judgeLosses(look)];
    return [degraded(`the status of ${who} is broken: ${broken}`), ...rest];
  }
  if (!status) return [down(`${who} has written no status: it starts, or its disk is full`)];
  const age = staleness(look, status);
  if (age !== undefined) return [down(`${who} has written no status for ${span(age)}: ${HANGS}`)];
  return [...judgeClock(look, 'the supervisor', status), ...judgeRunning(look, status)];
}

function judgeClock(look: Look, who: string, status: { readonly time: number }): Reason[] {
  const ahead = lead(look, status);
  if (ahead === undefined) return [];
  const cause = 'the clock was set back';
  return [degraded(`the status of ${who} is ${span(ahead)} ahead of the clock: ${cause}`)];
}

function judgeRunning(look: Look, status: SupervisorStatus): Reason[] {
  const links = linksOf(look);
  const { state, starts } = status.gate;
  const gone = `the gate does not run, after ${count(starts, 'start')}: nothing goes out`;
  return [
    ...(state === 'down' ? [down(gone)] : judgeGate(look)),
    ...judgeLinks(look, links, 'lower'),
    ...judgeLinks(look, links, 'upper'),
    ...judgeUppers(look),
    ...judgeLosses(look),
    ...status.seals.flatMap(judgeSeal),
    ...judgePolicies(look, status),
    ...judgeCertificates(look),
  ];
}

function judgeGate(look: Look): Reason[] {
  const { status, broken } = look.gate;
  if (broken !== undefined) return [degraded(`the status of the gate is broken: ${broken}`)];
  if (!status) return [down('the gate has written no status: it starts, or its disk is full')];
  const age = staleness(look, status);
  if (age !== undefined) return [down(`the gate has written no status for ${span(age)}: ${HANGS}`)];
  const clock = judgeClock(look, 'the gate', status);
  const alive = look.now - status.started;
  const starts = look.supervisor.status?.gate.starts ?? 0;
  if (starts > 1 && alive >= 0 && alive < RECENT) {
    const again = `the gate died, and was started anew ${span(alive)} ago`;
    clock.push(degraded(`${again}, for the ${starts - 1}. time: see the log`));
  }
  if (status.forwarding) return clock;
  const since = status.since === undefined ? '' : ` for ${span(look.now - status.since)}`;
  return [down(`nothing goes out${since}: ${status.reason ?? 'no reason is given'}`), ...clock];
}

/** Of `wire/exit.ts`, for people. */
const CAUSES: Readonly<Record<string, string>> = {
  done: 'it was told to stop',
  failure: 'its process failed: see the log',
  eof: 'the server closed it',
  reset: 'it broke',
  silence: 'the server fell silent',
  refused: 'the server said no',
  pipe: 'the pipe to the gate is gone',
  babble: 'the server speaks something else',
  tls: 'TLS failed: see the log',
  killed: 'its process was killed',
};

/** Why a link's last connection ended. */
export function describeCause(cause: string): string {
  return Object.hasOwn(CAUSES, cause) ? CAUSES[cause]! : cause;
}

function judgeLinks(look: Look, links: readonly LinkLook[], kind: LinkLook['kind']): Reason[] {
  const all = links.filter((link) => link.kind === kind);
  const off = all.filter(({ state }) => state !== 'up');
  const none = off.length === all.length ? [down(`no ${kind} is up`)] : [];
  return [...none, ...off.map((link) => degraded(describeLink(look, link)))];
}

function describeLink({ now }: Look, { kind, name, state, since, cause }: LinkLook): string {
  const held = span(now - since);
  if (state === 'hung') return `${kind} ${name} hangs: connected for ${held}, it writes no status`;
  const why = cause === undefined ? '' : `; the last connection ended: ${describeCause(cause)}`;
  return `${kind} ${name} has been ${state} for ${held}${why}`;
}

function judgeUppers(look: Look): Reason[] {
  return [...look.uppers].flatMap(([name, { status, broken, overtaken = 0 }]) => {
    if (broken !== undefined) return [degraded(`the status of upper ${name} is broken: ${broken}`)];
    const gone = `while upper ${name} is away, retention has deleted ${count(overtaken, 'event')}`;
    return [
      ...(overtaken > 0 ? [degraded(`${gone} that it has not had`)] : []),
      ...(status ? judgeClock(look, `upper ${name}`, status) : []),
    ];
  });
}

/** A loss in the future was counted before the clock was set back. */
function isRecent({ now }: Look, loss: Loss): boolean {
  return now - loss.time <= RECENT;
}

export function describeLoss({ now }: Look, { reason, time, count: lost }: Loss): string {
  return `${grouped(lost)} event${lost === 1 ? '' : 's'} ${span(now - time)} ago (${reason})`;
}

function judgeLosses(look: Look): Reason[] {
  const below = Object.entries(look.gate.status?.losses ?? {}).flatMap(([name, loss]) =>
    isRecent(look, loss) ? [degraded(`source ${name} lost ${describeLoss(look, loss)}`)] : [],
  );
  const gone = Object.entries(look.gate.status?.gone ?? {}).flatMap(([name, loss]) =>
    isRecent(look, loss) ? [degraded(`channel ${name} lost ${describeLoss(look, loss)}`)] : [],
  );
  const above = [...look.uppers].flatMap(([name, { status }]) =>
    status?.loss && isRecent(look, status.loss)
      ? [degraded(`upper ${name} missed ${describeLoss(look, status.loss)}`)]
      : [],
  );
  return [...below, ...gone, ...above];
}

function judgeSeal({ seal, inForce, reason }: SealStatus): Reason[] {
  return inForce ? [] : [degraded(`the seal '${seal}' is not in force: ${reason ?? 'no reason'}`)];
}

/** The first line of why policies were refused; the log and the view have the rest. */
function judgePolicies(look: Look, { reload }: SupervisorStatus): Reason[] {
  const refused: { readonly who: string; readonly time: number; readonly reason?: string }[] = [];
  if (reload?.state === 'refused') refused.push({ ...reload, who: 'a reload was refused' });
  const byGate = look.gate.status?.policy.refused;
  if (byGate) refused.push({ ...byGate, who: 'the gate refused policies' });
  return refused.map(({ who, time, reason = 'see the log' }) =>
    degraded(`${who} ${span(look.now - time)} ago: ${reason.split('\n')[0]!}`),
  );
}

export interface CertificateLook {
  readonly upper: string;
  /** peer: the server's, as its upper has seen it. */
  readonly part: 'cert' | 'ca' | 'peer';
  readonly file?: string;
  readonly expires: number;
  readonly refused?: string;
}

export function certificatesOf(look: Look): CertificateLook[] {
  const peers = [...look.uppers].flatMap(([upper, { status }]) =>
    status?.peerExpires === undefined
      ? []
      : [{ upper, part: 'peer' as const, expires: status.peerExpires }],
  );
  return [...(look.supervisor.status?.certificates ?? []), ...peers];
}

const PARTS = {
  cert: 'the certificate',
  ca: "the authority's certificate",
  peer: "the server's certificate",
};

function judgeCertificates(look: Look): Reason[] {
  return certificatesOf(look).flatMap(({ upper, part, file, expires, refused }) => {
    const what = `${PARTS[part]} of upper ${upper}${file === undefined ? '' : `, ${file},`}`;
    const left = expires - look.now;
    const reasons: Reason[] = [];
    if (left <= 0)
      reasons.push(degraded(`${what} expired ${days(-left)} ago, on ${date(expires)}`));
    else if (left < EXPIRES_SOON) {
      reasons.push(degraded(`${what} expires in ${days(left)}, on ${date(expires)}`));
    }
    if (refused !== undefined)
      reasons.push(degraded(`${what} has changed and is not taken: ${refused}`));
    return reasons;
  });
}
