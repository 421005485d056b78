/** Turns the checks that a row makes of an event's first data bytes into predicates of a rule. */
import { carries } from '../event/carries.js';
import { className } from '../policy/tokens.js';
import { checkAttributes, Hindrance, quoted, readNumber } from './hindrance.js';
import type { Element, Row } from './matrix.js';

/**
 * Bits of the control word, which daemons before 1.12.11 read: they looked at index, zone and
 * sub-zone where it said so, later ones wherever the elements are.
 */
const CONTROL = { enabled: 0x80000000, stop: 0x40000000, index: 0x20, zone: 0x10, subzone: 0x08 };
const KNOWN_BITS = Object.values(CONTROL).reduce((all, bit) => all + bit, 0);

const CHECKS = ['index', 'zone', 'subzone'] as const;

export interface Control {
  readonly enabled: boolean;
  /** No row below it is looked at for an event that matches it. */
  readonly stop: boolean;
  /** What its bits ask for. */
  readonly checks: readonly (typeof CHECKS)[number][];
}

/** @throws Hindrance */
export function readControl(row: Row): Control | undefined {
  const [element, second] = row.elements.filter(({ name }) => name === 'control');
  if (second) throw new Hindrance(second, 'a second <control>: keep one of them');
  if (!element) return undefined;
  checkAttributes(element, []);
  const word = readNumber(element.text.trim(), 0xffffffff, 'control', element);
  const has = (bit: number): boolean => (word & bit) !== 0;
  if (has(~KNOWN_BITS)) {
    throw new Hindrance(element, `control ${quoted(element.text)} has bits that are not known`);
  }
  return {
    enabled: has(CONTROL.enabled),
    stop: has(CONTROL.stop),
    checks: CHECKS.filter((check) => has(CONTROL[check])),
  };
}

export interface DataChecks {
  readonly lines: readonly string[];
  /** Values in the file that are not checked, because the control word does not ask for it. */
  readonly unchecked: readonly Element[];
}

/**
 * Lines of `match` for index, zone and sub-zone.
 *
 * @throws Hindrance
 */
export function readChecks(
  row: Row,
  control: Control | undefined,
  vscpClass: number | undefined,
  find: (name: string) => Element | undefined,
): DataChecks {
  const lines: string[] = [];
  const unchecked: Element[] = [];
  for (const check of CHECKS) {
    const element = find(check);
    if (element && control && !control.checks.includes(check)) {
      if (element.text.trim() !== '0') unchecked.push(element);
    } else if (element) {
      lines.push(check === 'index' ? sensorLine(element, vscpClass) : zoneLine(element, vscpClass));
    } else if (control?.checks.includes(check)) {
      throw new Hindrance(row, `control asks for a check of ${check}, but there is no <${check}>`);
    }
  }
  return { lines, unchecked };
}

const CODED = ['measurementindex', 'bmeasurement', 'bcheckmeasurementindex'];

function sensorLine(element: Element, vscpClass: number | undefined): string {
  checkAttributes(element, CODED);
  const [flag = 'false', ...more] = element.attributes.values();
  if (more.length > 0 || !/^(?:true|false)$/i.test(flag)) {
    throw new Hindrance(element, 'measurementindex must be true or false, once');
  }
  const coded = flag.toLowerCase() === 'true';
  const index = readNumber(element.text.trim(), 255, 'the index', element);
  const has = fieldsOf(element, vscpClass);
  if (!has.index) {
    throw new Hindrance(element, `no predicate looks at the first byte of class ${has.name}`);
  }
  // Without zones, the index is three bits of a measurement's coding byte; with, a byte.
  if (coded !== has.zone) {
    if (!coded || index <= 7) return `sensor: ${index}`;
    throw new Hindrance(element, 'it never matches: the index of a measurement is 0 to 7');
  }
  const what = coded ? 'three bits of the index byte' : 'the whole coding byte';
  throw new Hindrance(element, `no predicate looks at ${what}: set measurementindex="${!coded}"`);
}

function zoneLine(element: Element, vscpClass: number | undefined): string {
  checkAttributes(element, ['benable']);
  const flag = element.attributes.get('benable') ?? 'true';
  const remedy = `take <${element.name}> out if it is not to be checked`;
  if (flag.toLowerCase() !== 'true') {
    const message = `bEnable is ${quoted(flag)}, which the daemon does not look at`;
    throw new Hindrance(element, `${message}: ${remedy}`);
  }
  const value = readNumber(element.text.trim(), 255, `the ${element.name}`, element);
  const has = fieldsOf(element, vscpClass);
  if (has.zone) return `${element.name}: ${value}`;
  throw new Hindrance(element, `class ${has.name} has no ${element.name}: ${remedy}`);
}

interface DataFields {
  readonly name: string;
  readonly index: boolean;
  readonly zone: boolean;
}

/** Which fields a rule can see where the daemon looks: in the first three bytes. */
function fieldsOf(element: Element, vscpClass: number | undefined): DataFields {
  if (vscpClass === undefined) {
    const message = `<${element.name}> means something only within a class`;
    throw new Hindrance(element, `${message}: ask for one with mask 0xFFFF`);
  }
  // A Level I event in a Level II frame begins with a GUID, which the daemon takes for data.
  const framed = vscpClass >= 512 && vscpClass < 1024;
  const has = framed ? undefined : carries(vscpClass);
  return { name: className(vscpClass), index: has?.index ?? false, zone: has?.zone ?? false };
}
