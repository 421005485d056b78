/** The target of a request, and what its query asks for. */
import { Problem } from './problem.js';

export interface Target {
  /** As it came: nothing in it is decoded, since no path that is known needs it. */
  readonly path: string;
  /** Without the question mark. */
  readonly search: string;
}

/** RFC 9112, 3.2: origin-form, and absolute-form, of which a server has to understand the path. */
export function parseTarget(target: string): Target | undefined {
  const origin = /^https?:\/\/[^/?#]*/i.exec(target);
  const rest = origin ? target.slice(origin[0].length) || '/' : target;
  const [, path = '', search = ''] = /^([^?#]*)(?:\?([^#]*))?/s.exec(rest)!;
  if (path === '' && origin) return { path: '/', search };
  return path.startsWith('/') ? { path, search } : undefined;
}

/** 0001-01-01 would be below 0: what is kept is younger than 1970. */
const LATEST = Date.UTC(9999, 11, 31, 23, 59, 59, 999);
const TIME = /^\d{4}-\d\d-\d\d(?:T\d\d:\d\d(?::\d\d(?:\.\d{1,3})?)?Z)?$/;

/** Parameters of an API path: unknown ones, and ones that come twice, are refused. */
export class Query {
  readonly #values = new Map<string, string>();

  /** @throws Problem */
  constructor(search: string, known: readonly string[]) {
    for (const [name, value] of new URLSearchParams(search)) {
      if (!known.includes(name)) {
        const choice = known.length === 0 ? 'there are none here' : `there are ${known.join(', ')}`;
        throw new Problem('bad_parameter', `unknown parameter ${quote(name)}: ${choice}`);
      }
      if (this.#values.has(name)) {
        throw new Problem('bad_parameter', `${name} is given twice: give it once`);
      }
      this.#values.set(name, value);
    }
  }

  integer(name: string, least: number, most: number, otherwise: number): number {
    const text = this.#values.get(name);
    if (text === undefined) return otherwise;
    const value = Number(text);
    if (!/^\d{1,16}$/.test(text) || value < least || value > most) {
      throw new Problem(
        'bad_parameter',
        `${name} is ${quote(text)}: give a whole number from ${least} to ${most}`,
      );
    }
    return value;
  }

  /** ms since 1970, from ISO 8601 in UTC or from ms since 1970. */
  time(name: string): number | undefined {
    const text = this.#values.get(name);
    if (text === undefined) return undefined;
    const value = TIME.test(text) ? Date.parse(text) : /^\d{1,15}$/.test(text) ? Number(text) : NaN;
    // V8 makes 2 March of 30 February.
    const rolled = text.includes('-') && value >= 0 && !isSameDay(text, value);
    if (value >= 0 && value <= LATEST && !rolled) return value;
    throw new Problem(
      'bad_parameter',
      `${name} is ${quote(text)}: give a time from 1970 to 9999, as 2026-03-01T12:00:00Z, ` +
        'as 2026-03-01 or in milliseconds since 1970',
    );
  }

  choice<Choice extends string>(name: string, choices: readonly Choice[]): Choice | undefined {
    const text = this.#values.get(name);
    const found = choices.find((choice) => choice === text);
    if (text === undefined || found !== undefined) return found;
    const all = choices.join(', ');
    throw new Problem('bad_parameter', `${name} is ${quote(text)}: give one of ${all}`);
  }

  text(name: string): string | undefined {
    return this.#values.get(name);
  }
}

function isSameDay(text: string, time: number): boolean {
  return new Date(time).toISOString().startsWith(text.slice(0, 10));
}

function quote(text: string): string {
  return `'${text.length > 40 ? `${text.slice(0, 40)}...` : text}'`;
}
