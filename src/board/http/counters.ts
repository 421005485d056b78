/** What the public server counts. */

export interface HttpCounters {
  /** Open now. */
  connections: number;
  streams: number;
  exports: number;
  /** Ever, and those that were closed at once: there were too many, in all or of their address. */
  accepted: number;
  turnedAway: number;
  /** Answered, unchanged (304), limited (429), refused (4xx), failed (5xx), or gone. */
  requests: number;
  answered: number;
  unchanged: number;
  limited: number;
  refused: number;
  failed: number;
  /** Connections that did not speak HTTP, or too slowly, or too much of it. */
  malformed: number;
  streamed: number;
  /** Streams, and answers, that were cut off because they were not read. */
  cutStreams: number;
  cutAnswers: number;
}

export function zeroCounters(): HttpCounters {
  return {
    connections: 0,
    streams: 0,
    exports: 0,
    accepted: 0,
    turnedAway: 0,
    requests: 0,
    answered: 0,
    unchanged: 0,
    limited: 0,
    refused: 0,
    failed: 0,
    malformed: 0,
    streamed: 0,
    cutStreams: 0,
    cutAnswers: 0,
  };
}
