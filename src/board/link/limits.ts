/** What one peer of the link server may take: every bound, with its default. */

export interface LinkLimits {
  /**
   * Connections in all, of which readers may have half. When they are taken, the oldest that has not
   * logged in makes room, or else the oldest reader.
   */
  readonly connections: number;
  /** The same from one IPv4 address, or from one /64 of IPv6. */
  readonly perAddress: number;
  /** New connections a second from one address, in the long run. */
  readonly arrivals: number;
  /** New connections from one address that may come at once. */
  readonly burst: number;
  /** From the connection to the end of the login, ms. */
  readonly login: number;
  /** Commands before the login. */
  readonly strange: number;
  /** Bytes of a line, without its ending: 512 data bytes written as 0xNN need fewer than 3,000. */
  readonly line: number;
  /** Bytes that wait for a peer before it is read from no more. */
  readonly answers: number;
  /** Events that wait for a reader; beyond, the oldest is dropped. */
  readonly queue: number;
  /** Bytes of them. */
  readonly queueBytes: number;
  /** How long a peer may take nothing of what waits for it, ms. */
  readonly stall: number;
  /** Between two signs of life in the receive loop, ms. */
  readonly sign: number;
  /** After the first failed login of an address the next one waits so long, ms; then it doubles. */
  readonly firstPenalty: number;
  readonly lastPenalty: number;
}

export const DEFAULT_LIMITS: LinkLimits = {
  connections: 256,
  perAddress: 32,
  arrivals: 10,
  burst: 50,
  login: 10_000,
  strange: 128,
  line: 4096,
  answers: 256 * 1024,
  queue: 4096,
  queueBytes: 1024 * 1024,
  stall: 30_000,
  sign: 2000,
  firstPenalty: 250,
  lastPenalty: 4000,
};
