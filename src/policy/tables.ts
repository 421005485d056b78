/** The tables that class and type names are resolved by, as text: what a signature can cover. */
import { className, classTokens, typeTokens } from './tokens.js';

/**
 * `class <token> <number>`, `name <number> <token>` and `type <token> <number>`, a line each,
 * sorted within each kind: the same text where every name means the same.
 */
export function tablesText(): string {
  const numbers = [...new Set(classTokens.values())].sort((a, b) => a - b);
  return [
    ...[...classTokens].map(([token, number]) => `class ${token} ${number}\n`).sort(),
    // The first name of a number is the scope of its types.
    ...numbers.map((number) => `name ${number} ${className(number)}\n`),
    ...[...typeTokens].map(([token, number]) => `type ${token} ${number}\n`).sort(),
  ].join('');
}
