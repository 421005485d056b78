/** The memory that the gate and the thread that writes its log share: a request and its answer at a time. */

/** Places in `control`. */
export const CONTROL = {
  /** Number of the newest request, and of the newest that is done. */
  request: 0,
  done: 1,
  /** Of the request: what is asked for, and the bytes of its leaves. */
  order: 2,
  length: 3,
  /** Of the answer: bytes of a message of what failed; 0: all is well. */
  failure: 4,
  /** Bytes of a message of why there is no checkpoint; 0: there is one. */
  unpublished: 5,
  /** Grows before and after the checkpoint in `signed` changes: odd while it does. */
  version: 6,
  /** Bytes of the checkpoint. */
  note: 7,
} as const;

export const ORDER = { append: 1, probe: 2, close: 3 } as const;

/** Leaves of one request: a batch of 62 lanes that are all full takes a quarter. */
const LEAVES = 4 * 2 ** 20;
const MESSAGE = 1024;
const NOTE = 4096;

const BYTES = 40 + LEAVES + 2 * MESSAGE + NOTE;

export class Shared {
  readonly memory: SharedArrayBuffer;
  readonly control: Int32Array;
  /** Leaves, each behind its length. */
  readonly leaves: Uint8Array;
  /** Leaves in the log, when an order is done. */
  readonly size: Float64Array;
  readonly failure: Uint8Array;
  readonly unpublished: Uint8Array;
  /** The newest checkpoint, a signed note. */
  readonly note: Uint8Array;

  constructor(memory: SharedArrayBuffer = new SharedArrayBuffer(BYTES)) {
    this.memory = memory;
    this.control = new Int32Array(memory, 0, 8);
    this.size = new Float64Array(memory, 32, 1);
    this.leaves = new Uint8Array(memory, 40, LEAVES);
    this.failure = new Uint8Array(memory, 40 + LEAVES, MESSAGE);
    this.unpublished = new Uint8Array(memory, 40 + LEAVES + MESSAGE, MESSAGE);
    this.note = new Uint8Array(memory, 40 + LEAVES + 2 * MESSAGE, NOTE);
  }
}

/** Numbers a request, as Int32 has it: at 500 a second they come round within two months. */
export function nextRequest(control: Int32Array): number {
  return (Atomics.add(control, CONTROL.request, 1) + 1) | 0;
}

/** Puts text where it fits; returns its bytes. */
export function putText(into: Uint8Array, text: string): number {
  return new TextEncoder().encodeInto(text, into).written;
}

export function takeText(from: Uint8Array, length: number): string {
  return new TextDecoder().decode(from.slice(0, length));
}
