/** Reads a row of a decision matrix as what a rule is made of, or as the reason why it is none. */
import { type Control, readChecks } from './data.js';
import { classOf, type Filter, filterLines, readFilter } from './filter.js';
import { checkAttributes, Hindrance, plain, readNumber } from './hindrance.js';
import type { Element, Place, Row } from './matrix.js';
import { readRemote } from './remote.js';
import { readTimes } from './times.js';

const SEND_TO_REMOTE = 0x43;
const ACTIONS = new Map([
  [0x00, 'do nothing'],
  [0x10, 'run a program'],
  [0x11, 'run a program on a condition'],
  [0x12, 'run a procedure of the daemon'],
  [0x30, 'call a library'],
  [0x40, "send an event on the daemon's own side"],
  [0x41, "send an event on the daemon's own side, on a condition"],
  [0x42, "send events from a file on the daemon's own side"],
  [0x75, 'call a URL, which may let data out, but no events'],
]);

const ELEMENTS = [
  ...['mask', 'filter', 'control', 'action', 'param', 'comment'],
  ...['allowed_from', 'allowed_to', 'allowed_weekdays', 'allowed_time'],
  ...['index', 'zone', 'subzone', 'measurement'],
];

export interface Remark {
  readonly place: Place;
  readonly message: string;
}

/** Why a row sends nothing to a remote server. */
export interface Idle extends Remark {
  readonly short: string;
  readonly disabled: boolean;
}

export interface RuleParts {
  readonly filter: Filter;
  /** Lines of `match` and `emit`. */
  readonly lines: readonly string[];
  readonly emit: readonly string[];
  readonly server: string;
  readonly reason: string | undefined;
  readonly timed: boolean;
  readonly remarks: readonly Remark[];
}

function findIn(row: Row, name: string): Element | undefined {
  return row.elements.find((element) => element.name === name);
}

/**
 * Why a row sends nothing to a remote server, if that is certain.
 *
 * @throws Hindrance
 */
export function readIdleness(row: Row, control: Control | undefined): Idle | undefined {
  const { enable, enabled } = Object.fromEntries(row.attributes);
  const certain = row.doubled === undefined && (enable ?? enabled) === (enabled ?? enable);
  // Daemons before 2014 spelled it 'enabled', and let bit 31 of the control word decide.
  const off = enabled !== undefined && control?.enabled === false;
  if (certain && ((enable ?? enabled)?.toLowerCase() !== 'true' || off)) {
    const message = 'it is disabled: enable it and import again if it is to be a rule';
    return { place: row, message, short: 'disabled', disabled: true };
  }
  const [element, second] = row.elements.filter(({ name }) => name === 'action');
  if (!element || second) return undefined;
  const code = readNumber(element.text.trim(), 0xffffffff, 'the action', element);
  if (code === SEND_TO_REMOTE) return undefined;
  const what = ACTIONS.get(code) ?? 'change what the daemon keeps for itself';
  const action = `action 0x${code.toString(16)}`;
  const message = `${action} (${what}) sends nothing to a remote server: nothing to carry over`;
  return { place: element, message, short: action, disabled: false };
}

/** @throws Hindrance */
export function readRow(row: Row, control: Control | undefined, zone: string): RuleParts {
  const find = (name: string): Element | undefined => findIn(row, name);
  checkRow(row);
  const filter = readFilter(row, find);
  const { lines: checks, unchecked } = readChecks(row, control, classOf(filter), find);
  const time = readTimes(row, zone, find);
  const { server, emit } = readRemote(row, find('param'));
  const remarks: Remark[] = unchecked.map((place) => ({
    place,
    message: `control does not ask for <${place.name}>, so the rule does not look at it`,
  }));
  const header = filterLines(filter);
  if (header.length === 0) {
    const scope = time === undefined ? '' : ' at its times';
    const message = `ITS MASK IS ZERO, SO THE RULE LETS EVERY EVENT OUT${scope}: narrow it`;
    remarks.push({ place: find('mask') ?? row, message });
  }
  const lines = [...header, ...checks, ...(time === undefined ? [] : [`time: ${time}`])];
  return {
    filter,
    lines: lines.length === 0 ? ['any: true # every event: narrow it'] : lines,
    emit,
    server,
    reason: find('comment')?.text,
    timed: time !== undefined,
    remarks,
  };
}

/** Refuses what could be a condition that is not known here. */
function checkRow(row: Row): void {
  checkAttributes(row, ['enable', 'enabled', 'groupid']);
  const seen = new Set<string>();
  for (const element of row.elements) {
    const name = `<${plain(element.name, 40)}>`;
    if (!ELEMENTS.includes(element.name)) {
      throw new Hindrance(element, `${name} is not known: take it out, or write the rule by hand`);
    }
    if (seen.has(element.name)) throw new Hindrance(element, `a second ${name}: keep one of them`);
    seen.add(element.name);
    if (element.holdsElements) throw new Hindrance(element, `${name} holds elements of its own`);
    if (element.name === 'action') checkAttributes(element, []);
    if (element.name === 'measurement') {
      const remedy = "write it by hand as 'unit' and 'value', or take it out if it is not meant";
      throw new Hindrance(element, `it compares the value of a measurement: ${remedy}`);
    }
  }
  if (!seen.has('action')) throw new Hindrance(row, 'there is no <action>');
  const { enable, enabled } = Object.fromEntries(row.attributes);
  if (enable !== undefined && enabled !== undefined && enable !== enabled) {
    throw new Hindrance(row, "'enable' and 'enabled' differ: keep one of them");
  }
}
