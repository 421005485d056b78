/** Why a request is not answered with what it asks for: each with its status and its code. */

const STATUS = {
  bad_request: 400,
  bad_parameter: 400,
  not_found: 404,
  no_such_sensor: 404,
  method_not_allowed: 405,
  body_refused: 413,
  expectation_failed: 417,
  too_many_headers: 431,
  too_many_requests: 429,
  too_many_streams: 429,
  too_many_exports: 429,
  internal: 500,
  busy: 503,
  history_unavailable: 503,
} as const;

export type ProblemCode = keyof typeof STATUS;

export const PROBLEM_CODES = Object.keys(STATUS) as ProblemCode[];

export class Problem extends Error {
  readonly code: ProblemCode;
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;

  /**
   * @param message for people: what is wrong, and the way out
   * @param headers that the answer has besides
   */
  constructor(code: ProblemCode, message: string, headers: Readonly<Record<string, string>> = {}) {
    super(message);
    this.name = 'Problem';
    this.code = code;
    this.status = STATUS[code];
    this.headers = headers;
  }

  /** @param wait ms until it may be tried again */
  static later(code: ProblemCode, message: string, wait: number): Problem {
    return new Problem(code, message, { 'Retry-After': String(Math.ceil(wait / 1000) || 1) });
  }
}
