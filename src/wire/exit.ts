/** Exit codes by which valves and uppers tell the supervisor why a connection ended. */

export const EXIT = {
  /** Told to stop. */
  done: 0,
  /** A bug, or settings that do not fit. */
  failure: 1,
  /** The server ended the connection. */
  eof: 10,
  /** The connection broke. */
  reset: 11,
  /** Neither an event nor a sign of life for too long, or no answer. */
  silence: 12,
  /** The server said no: to RCVLOOP, or to the login. */
  refused: 13,
  /** The pipe to the gate is gone. */
  pipe: 14,
  /** The server speaks something else, or too much of it. */
  babble: 15,
  /** TLS failed: version, certificate or name. */
  tls: 16,
} as const;

export type Cause = keyof typeof EXIT;

/** The cause that an exit code names; a death by signal has none. */
export function causeOf(code: number | null): Cause | 'killed' {
  for (const [cause, value] of Object.entries(EXIT)) if (value === code) return cause as Cause;
  return code === null ? 'killed' : 'failure';
}
