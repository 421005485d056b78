/** Where a command speaks; a line has no line end. */
export interface Io {
  out(line: string): void;
  err(line: string): void;
  /** Whether a person reads `out` on a terminal. */
  readonly terminal?: boolean;
  /** Columns of that terminal. */
  readonly columns?: number;
}
