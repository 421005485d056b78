/** VSCP class and type tokens as people write them, from the protocol author's own tables. */
import classes from 'node-vscp-class';
import types from 'node-vscp-type';

/** Bare class names (`MEASUREMENT`) by level, from `VSCP_CLASS1_...` and `VSCP_CLASS2_...`. */
const LEVEL1 = new Map<string, number>();
const LEVEL2 = new Map<string, number>();
const CLASS_TOKENS = new Map<string, number>();
const CLASS_NAMES = new Map<number, string>();

for (const [token, value] of Object.entries(classes)) {
  const match = /^VSCP_CLASS([12])_(\w+)$/.exec(token);
  if (!match || typeof value !== 'number') continue;
  const [, level, bare] = match as unknown as [string, string, string];
  const dotted = `CLASS${level}.${bare.replace(/^LEVEL1_/, 'LEVEL1.')}`;
  CLASS_TOKENS.set(token, value).set(dotted, value);
  if (!CLASS_NAMES.has(value)) CLASS_NAMES.set(value, dotted);
  (level === '1' ? LEVEL1 : LEVEL2).set(bare, value);
}

/** Type names of a class scope (`MEASUREMENT` -> `TEMPERATURE` -> 6). */
const TYPE_TOKENS = new Map<string, number>();
const SCOPES = new Map<string, Map<string, number>>();

for (const [token, value] of Object.entries(types)) {
  if (typeof value === 'number' && /^VSCP2?_TYPE_\w+$/.test(token)) TYPE_TOKENS.set(token, value);
}

/** The prefix of the type tokens of a class: its own, or that of the class whose types it shares. */
function typePrefix(vscpClass: number): string | undefined {
  const level1 = vscpClass >= 512 && vscpClass < 1024 ? vscpClass - 512 : vscpClass;
  const name = CLASS_NAMES.get(level1);
  if (name === undefined) return undefined;
  const bare = name.replace(/^CLASS[12]\./, '');
  if (vscpClass >= 1024) {
    // Classes 1040 and 1060 carry the types of class 10 (specification, "Level II measurement").
    if (bare.startsWith('MEASUREMENT')) return 'VSCP_TYPE_MEASUREMENT_';
    return `VSCP2_TYPE_${bare}_`;
  }
  // Classes 60..74 carry the types of 10..14 in another coding, 85..89 command them.
  const shared = /^(?:MEASURE(?:MENT(?:64|32)?|ZONE)|SETVALUEZONE)(X[1-4])?$/.exec(bare);
  if (shared) return `VSCP_TYPE_MEASUREMENT${shared[1] ?? ''}_`;
  // The type tokens of CLASS1.IR keep the older name of that class.
  return bare === 'IR' ? 'VSCP_TYPE_REMOTE_' : `VSCP_TYPE_${bare}_`;
}

/** The type names that exist in a class, without their prefix. */
export function typeNames(vscpClass: number): ReadonlyMap<string, number> {
  const prefix = typePrefix(vscpClass);
  if (prefix === undefined) return new Map();
  let scope = SCOPES.get(prefix);
  if (!scope) {
    scope = new Map();
    for (const [token, value] of TYPE_TOKENS) {
      if (token.startsWith(prefix)) scope.set(token.slice(prefix.length), value);
    }
    SCOPES.set(prefix, scope);
  }
  return scope;
}

/** Class numbers by token: `CLASS1.MEASUREMENT` and `VSCP_CLASS1_MEASUREMENT`. */
export const classTokens: ReadonlyMap<string, number> = CLASS_TOKENS;

/** Type numbers by full token: `VSCP_TYPE_MEASUREMENT_TEMPERATURE`. */
export const typeTokens: ReadonlyMap<string, number> = TYPE_TOKENS;

/** Whether a full type token belongs to a class. */
export function isTypeOf(token: string, vscpClass: number): boolean {
  const prefix = typePrefix(vscpClass);
  return prefix !== undefined && token.startsWith(prefix);
}

/** Names that `familyOf` knows. */
export const familyNames: readonly string[] = [...new Set([...LEVEL1.keys(), ...LEVEL2.keys()])]
  .filter(
    (name) =>
      !name.startsWith('LEVEL1_') && (name === 'MEASUREMENT' || !name.startsWith('MEASURE')),
  )
  .map((name) => `@${name}`);

/**
 * All classes under which the events of a family travel: `@SECURITY` is 2, its mirror 514 (Level I
 * over Level II) and 1034; `@MEASUREMENT` holds every class that carries measurements.
 */
export function familyOf(name: string): readonly number[] | undefined {
  if (!familyNames.includes(name)) return undefined;
  const bare = name.slice(1);
  const belongs = (candidate: string): boolean =>
    candidate === bare || (bare === 'MEASUREMENT' && candidate.startsWith('MEASURE'));
  const family = new Set<number>();
  for (const [candidate, value] of LEVEL1) {
    if (belongs(candidate)) family.add(value).add(512 + value);
  }
  for (const [candidate, value] of LEVEL2) if (belongs(candidate)) family.add(value);
  return [...family].sort((a, b) => a - b);
}

/** A class for people: its token, or its number. */
export function className(vscpClass: number): string {
  return CLASS_NAMES.get(vscpClass) ?? String(vscpClass);
}

/** A type for people: its token within its class, or its number. */
export function typeName(vscpClass: number, type: number): string {
  for (const [name, value] of typeNames(vscpClass)) if (value === type) return name;
  return String(type);
}
