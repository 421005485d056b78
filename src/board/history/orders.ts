/** What the board's thread and those of its history say to each other. */
import type { Resolution } from '../../sensor/view.js';
import type { Batch } from './batch.js';
import type { StoreLimits, Sums } from './store.js';

/** How either thread begins. */
export interface ThreadData {
  readonly directory: string;
  readonly limits: StoreLimits;
  /** That a question may take. */
  readonly ms: number;
  /** One, shared: ms since 1970 by which what is kept grows old. */
  readonly time: BigInt64Array;
}

/** To the thread that writes; `close` is the last. */
export type WriteOrder = { readonly batch: Batch } | { readonly close: true };

/** From the thread that writes. */
export type WriteReport =
  | { readonly kind: 'open'; readonly trouble: string | undefined }
  | { readonly kind: 'failed'; readonly trouble: string }
  /** A batch has been carried out; `trouble` is why some of it was dropped. */
  | { readonly kind: 'done'; readonly sums: Sums; readonly trouble: string | undefined }
  /** The database is another one now. */
  | { readonly kind: 'anew'; readonly trouble: string };

export type Question =
  | {
      readonly kind: 'series';
      readonly sensor: string;
      readonly from: number;
      readonly to: number;
      readonly most: number;
      readonly resolution: Resolution | undefined;
    }
  | {
      readonly kind: 'readings';
      readonly sensor: string;
      readonly from: number;
      readonly to: number;
      readonly limit: number;
    }
  | { readonly kind: 'events'; readonly since: number; readonly limit: number }
  | { readonly kind: 'recent' };

/** From the thread that reads, one for each question. */
export type Answer =
  { readonly answer: unknown } | { readonly error: string; readonly damage: boolean };
