/** Lints of what a permit sends: addresses, positions and times that say more than they should. */
import { type Arm } from '../policy/match.js';
import type { KeyPart, Rule } from '../policy/policy.js';
import { few, type Finding, showClass, warn } from './finding.js';
import { GUID_RANGES, MIRRORS, POSITIONS } from './hazards.js';
import { placeOf } from './lint-classes.js';
import type { Reach } from './reach.js';

/** Degrees; a thousandth is 111 m of latitude, and finds a house. */
const COARSE = 0.001;

/** Findings about the fields that a permit sends. */
export function lintEmit(rule: Rule, reach: Reach): Finding[] {
  return [
    ...lintGuid(rule, reach),
    ...lintMirrors(rule, reach),
    ...lintTime(rule),
    ...lintPosition(rule, reach),
    ...lintStreams(rule),
  ];
}

function lintGuid(rule: Rule, reach: Reach): Finding[] {
  if (rule.emit.guid !== 'keep') return [];
  const ranges = GUID_RANGES.filter(({ cube }) => reach.some(rule, { guids: [cube] }));
  if (ranges.length === 0) return [];
  return [
    warn(
      placeOf(rule, 'emit.guid'),
      'raw-guid',
      `permit '${rule.name}' sends GUIDs as they are, and they may hold ` +
        few(ranges.map(({ name }) => name)),
      'send guid: { pseudonym: { key_file: FILE, prefix: "02:.../32" } }, or match GUIDs without',
    ),
  ];
}

function lintMirrors(rule: Rule, reach: Reach): Finding[] {
  if (rule.emit.data !== 'keep') return [];
  const open = reach.classes(rule, MIRRORS);
  if (open.length === 0) return [];
  const classes =
    open.length > 8 ? `${open.length} classes of 512 to 1023` : few(open.map(showClass));
  return [
    warn(
      placeOf(rule, 'emit.data', 'match.class', 'match.raw'),
      'mirror-guid',
      `permit '${rule.name}' sends the data of ${classes}, whose first 16 bytes are the GUID of ` +
        'an interface; no match and no pseudonym looks at it',
      "send 'value' instead of data, which writes the GUID that is sent, or match no such class",
    ),
  ];
}

function lintTime(rule: Rule): Finding[] {
  if (rule.emit.time !== 'keep') return [];
  return [
    warn(
      placeOf(rule, 'emit.time'),
      'raw-time',
      `permit '${rule.name}' keeps timestamps: microseconds tell devices apart, and say when ` +
        'people come',
      'send time: { floor: 1m }, relay or zero',
    ),
  ];
}

function lintPosition(rule: Rule, reach: Reach): Finding[] {
  const { data, value } = rule.emit;
  if (data !== 'keep' && !value) return [];
  const coarse = value?.round !== undefined && value.round >= COARSE;
  if (coarse) return [];
  const open = POSITIONS.flatMap(({ classes, type }) =>
    reach.classes(rule, classes, { values: new Set([type]) }),
  );
  if (open.length === 0) return [];
  const how = value?.round === undefined ? 'unrounded' : `rounded to ${value.round} degrees only`;
  return [
    warn(
      placeOf(rule, 'emit.value', 'emit.data', 'match.type', 'match.class', 'match.raw'),
      'gnss-position',
      `permit '${rule.name}' sends positions ${how}, of ${few(open.map(showClass))}: they find a ` +
        'house, or follow a person',
      'name the types that are wanted, or send value: { unit: latitude, round: 0.1 }, or no data',
    ),
  ];
}

/** Several streams of which nobody above can tell which is which. */
function lintStreams(rule: Rule): Finding[] {
  const { emit, arms } = rule;
  if (!emit.window) return [];
  const lost = emit.window.per.filter((part) => isLost(part, rule) && !isFixed(part, arms));
  if (lost.length === 0) return [];
  const parts = lost.join(' and ');
  const sending = lost.map((part) =>
    part === 'guid' ? 'guid: { pseudonym: ... }' : `${part}: keep`,
  );
  return [
    warn(
      placeOf(rule, 'emit.window'),
      'stream-lost',
      `permit '${rule.name}' makes a window per ${parts} but does not send it: the values of ` +
        'several streams arrive as one',
      `send ${sending.join(', ')}, or take ${parts} out of 'per'`,
    ),
  ];
}

function isLost(part: KeyPart, { emit }: Rule): boolean {
  // What is sent has no field for the source: its GUIDs tell sources apart, if anything does.
  if (part === 'source') return false;
  return part === 'guid' ? emit.guid instanceof Uint8Array : emit[part] !== 'keep';
}

/** Whether a rule matches one value of it only, so that there is one stream. */
function isFixed(part: KeyPart, arms: readonly Arm[]): boolean {
  const values = new Set<string>();
  for (const { guids, sensors, zones, subzones } of arms) {
    if (part === 'guid') {
      if (!guids?.every(({ mask }) => mask.every((byte) => byte === 0xff))) return false;
      for (const { value } of guids) values.add(value.join());
    } else {
      const set = { sensor: sensors, zone: zones, subzone: subzones, source: undefined }[part];
      if (!set) return false;
      for (const n of set) values.add(String(n));
    }
  }
  return values.size === 1;
}
