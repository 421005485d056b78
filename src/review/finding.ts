/** What is found in a policy: the place, the hazard, and what to write instead. */
import type { DocumentError, Field } from '../document/document.js';
import { className } from '../policy/tokens.js';

/** An error is what the relay refuses to load; a warning is what it does load, at a price. */
export interface Finding {
  /** Stable: kebab-case, never reused for something else. */
  readonly code: string;
  readonly severity: 'error' | 'warning';
  readonly file: string;
  /** From 1, as `column`. */
  readonly line: number;
  readonly column: number;
  /** The hazard. */
  readonly message: string;
  /** What to write instead; empty where the message says it. */
  readonly fix: string;
}

/** A warning at a place in a file. */
export function warn(field: Field, code: string, message: string, fix: string): Finding {
  const { file, line, column } = field.error('');
  return { code, severity: 'warning', file, line, column, message, fix };
}

/** What the parser or the compiler refuses. */
export function refusal(error: DocumentError, code: 'invalid' | 'not-loadable'): Finding {
  const { file, line, column } = error;
  const prefix = `${file}:${line}:${column}: `;
  const message = error.message.startsWith(prefix)
    ? error.message.slice(prefix.length)
    : error.message;
  return { code, severity: 'error', file, line, column, message, fix: '' };
}

const SHOWN = 4;

/** A few of many things, for a message. */
export function few(items: readonly string[]): string {
  if (items.length <= SHOWN) {
    return items.length < 2
      ? items.join()
      : `${items.slice(0, -1).join(', ')} and ${items.at(-1)!}`;
  }
  return `${items.slice(0, SHOWN - 1).join(', ')} and ${items.length - SHOWN + 1} more`;
}

/** A class by its token and its number. */
export function showClass(vscpClass: number): string {
  const name = className(vscpClass);
  return name === String(vscpClass) ? `class ${name}` : `${name} (${vscpClass})`;
}
