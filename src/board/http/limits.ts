/** What the public may take of the server: each limit with its default and its bounds. */

/** Default, least, most; times in ms. */
const TABLE = {
  /** Request line and headers together, bytes. */
  headerBytes: [8192, 1024, 65_536],
  headers: [100, 10, 1000],
  /** From the connection, or a request's first byte, to the last byte of its headers. */
  headersTimeout: [10_000, 100, 60_000],
  requestTimeout: [15_000, 100, 120_000],
  /** Between two requests of a connection. */
  idleTimeout: [5000, 100, 60_000],
  /** An answer that has not been taken off by then is cut off, and so is an export. */
  answerTimeout: [60_000, 100, 600_000],
  exportTimeout: [600_000, 100, 3_600_000],
  connections: [16_000, 1, 200_000],
  connectionsPerAddress: [600, 1, 200_000],
  /** Of an address; a burst on top of what has been saved up. */
  requestsPerSecond: [50, 1, 1_000_000],
  requestBurst: [200, 1, 1_000_000],
  /** Addresses whose requests are counted; beyond them the one that was seen least lately goes. */
  addresses: [20_000, 1, 1_000_000],
  streams: [12_000, 1, 200_000],
  streamsPerAddress: [300, 1, 200_000],
  /** A stream that has something waiting for it for so long does not read. */
  streamPatience: [30_000, 100, 600_000],
  /**
   * What may wait for one stream, and for all of them, bytes. The first has to hold all sensors:
   * some 600 bytes each.
   */
  streamBytes: [8 * 1024 ** 2, 1024, 1024 ** 3],
  streamsBytes: [64 * 1024 ** 2, 1024, 4 * 1024 ** 3],
  /** What may wait for readers of all answers that are no streams, bytes. */
  answersBytes: [128 * 1024 ** 2, 1024, 4 * 1024 ** 3],
  signOfLife: [15_000, 100, 600_000],
  /** What a client of a stream waits before it comes back. */
  retry: [3000, 0, 600_000],
  /** How long what is the same for all is kept, and between two looks of the streams. */
  refresh: [1000, 10, 60_000],
  /** Points of a series, events of a page, rows of an export. */
  points: [5000, 1, 100_000],
  events: [1000, 1, 10_000],
  rows: [100_000, 1, 10_000_000],
  exports: [32, 1, 1000],
  exportsPerAddress: [2, 1, 1000],
  /** Put to the history at once, in all and by an address, and how long each may take. */
  questions: [64, 1, 10_000],
  questionsPerAddress: [16, 1, 10_000],
  questionPatience: [10_000, 10, 120_000],
  /** Answers that are kept, and their bytes. */
  keptAnswers: [1000, 1, 100_000],
  keptBytes: [64 * 1024 ** 2, 1024, 4 * 1024 ** 3],
} as const satisfies Record<string, readonly [value: number, least: number, most: number]>;

export type HttpLimits = Readonly<Record<keyof typeof TABLE, number>>;

const NAMES = Object.keys(TABLE) as (keyof typeof TABLE)[];

/** Defaults for what is not given. @throws Error that names the limit and its bounds */
export function completeLimits(given: Partial<HttpLimits> = {}): HttpLimits {
  const limits = NAMES.map((name) => {
    const [value, least, most] = TABLE[name];
    const wanted = given[name] ?? value;
    if (!Number.isInteger(wanted) || wanted < least || wanted > most) {
      throw new Error(`${name} is ${wanted}: give a whole number from ${least} to ${most}`);
    }
    return [name, wanted];
  });
  return Object.freeze(Object.fromEntries(limits)) as HttpLimits;
}
