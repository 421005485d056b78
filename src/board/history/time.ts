/** Hours and days of UTC, in ms. */
export const HOUR = 3_600_000;
export const DAY = 24 * HOUR;

/** ms since 1970, of the last time that a Date can have (ECMA-262, 21.4.1.1). */
export const GREATEST_TIME = 8.64e15;

/** Points of a sensor's small line, one in so many ms. */
export const SPARK = 30;
export const SPARK_EVERY = 10_000;
