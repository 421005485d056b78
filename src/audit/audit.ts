/** The audit step of a commit: durable before the journal shows the batch. */

/** One batch, as the audit log will name it. */
export interface BatchLeaf {
  readonly batch: number;
  /** The gate's clock, ms since 1970. */
  readonly time: number;
  /** By journal: first sequence and number of records. */
  readonly journals: readonly { readonly first: number; readonly count: number }[];
}

export interface AuditLog {
  /**
   * Appends the leaf and makes it durable.
   *
   * @throws Error of the file system: then the batch must not be shown
   */
  append(leaf: BatchLeaf): void;
}

/** Until there is a log: the same place in the order of writes, and nothing in it. */
export const NO_AUDIT: AuditLog = {
  append() {
    // Nothing to make durable.
  },
};
