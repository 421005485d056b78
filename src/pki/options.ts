// The options of a certificate and their bounds, checked before any key is made.

/** A caller's option is unusable: a usage error, as opposed to a failure of the work itself. */
export class OptionError extends Error {
  override readonly name = 'OptionError';
}

/** Longest life of an authority, in days: 20 years. */
export const AUTHORITY_DAYS = 7300;

/** Longest life of a leaf, in days: 10 years, for sites that nobody visits in between. */
export const LEAF_DAYS = 3650;

const KEY_BITS: readonly number[] = [2048, 3072, 4096];

// RFC 5280 appendix A.1, ub-common-name.
const COMMON_NAME_LENGTH = 64;

// Line breaks, escape sequences and reordering marks would let a name lie in a log or a terminal.
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u;
const EACH_UNPRINTABLE = new RegExp(UNPRINTABLE, 'gu');

/**
 * Quotes text of unknown origin for a message of one line. JSON alone would let DEL, the C1
 * controls (CSI among them) and the marks that reorder text through to a terminal.
 */
export function quote(text: string): string {
  return JSON.stringify(text).replaceAll(EACH_UNPRINTABLE, (mark) => {
    const code = mark.codePointAt(0) ?? 0;
    return `\\u{${code.toString(16)}}`;
  });
}

/**
 * Checks the common name of a subject: 1 to 64 printable characters, no blank at either end.
 * @param name the name as the caller gave it.
 * @throws OptionError that says what is wrong.
 */
export function checkCommonName(name: string): void {
  if (UNPRINTABLE.test(name)) {
    throw new OptionError(`the common name ${quote(name)} holds a control character`);
  }
  if (name.trim() === '') throw new OptionError('the common name is empty');
  if (name.trim() !== name) {
    throw new OptionError(`the common name ${quote(name)} starts or ends with a blank`);
  }
  const length = Array.from(name).length;
  if (length > COMMON_NAME_LENGTH) {
    const limit = `at most ${COMMON_NAME_LENGTH} are allowed`;
    throw new OptionError(`the common name has ${length} characters, ${limit}`);
  }
}

/**
 * Checks a life.
 * @param days the life in days.
 * @param most the longest life allowed, in days.
 * @throws OptionError if it is not a whole number from 1 to `most`.
 */
export function checkDays(days: number, most: number): void {
  if (!Number.isInteger(days) || days < 1 || days > most) {
    throw new OptionError(`days must be a whole number from 1 to ${most}, not ${days}`);
  }
}

/**
 * Checks the size of an RSA key.
 * @param bits the length of the modulus in bits.
 * @throws OptionError if it is not 2048, 3072 or 4096.
 */
export function checkBits(bits: number): void {
  if (!KEY_BITS.includes(bits)) {
    throw new OptionError(`bits must be one of ${KEY_BITS.join(', ')}, not ${bits}`);
  }
}

/**
 * Checks the start of a life.
 * @param date the start; certificates hold whole seconds, the rest is dropped.
 * @throws OptionError if it is no date, or outside of the years that RFC 5280 4.1.2.5 can write.
 */
export function checkNotBefore(date: Date): void {
  const year = date.getUTCFullYear();
  if (!(year >= 1950 && year <= 9900)) {
    throw new OptionError('notBefore must be a date from 1950 on');
  }
}
