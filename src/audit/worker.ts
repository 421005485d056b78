/** The thread of the gate that writes its log: so that a disk that does not answer holds up nobody else. */
import { createPrivateKey } from 'node:crypto';
import { workerData } from 'node:worker_threads';
import { signerOf } from '../note/note.js';
import { CONTROL, ORDER, putText, Shared } from './shared.js';
import { type End, LogWriter } from './writer.js';

export interface WorkerData {
  readonly memory: SharedArrayBuffer;
  readonly directory: string;
  readonly origin: string;
  /** PEM. */
  readonly keys: readonly string[];
  readonly end: End;
}

/** A checkpoint no more often than this, ms. */
const PUBLISH_EVERY = 1000;

const { memory, directory, origin, keys, end } = workerData as WorkerData;
const shared = new Shared(memory);
const { control } = shared;
const signers = keys.map((pem) => signerOf(origin, createPrivateKey(pem)));
const writer = new LogWriter(directory, origin, signers, end);
let published = -Infinity;
let seen = 0;

function carryOut(order: number): void {
  if (order === ORDER.append) {
    writer.append(shared.leaves.slice(0, Atomics.load(control, CONTROL.length)), true);
  } else if (order === ORDER.probe) writer.probe();
}

function answer(order: number): void {
  let failure = 0;
  try {
    carryOut(order);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    failure = putText(shared.failure, code ?? message);
  }
  shared.size[0] = writer.size;
  Atomics.store(control, CONTROL.failure, failure);
  Atomics.store(control, CONTROL.done, seen);
  Atomics.notify(control, CONTROL.done);
}

function publish(whole: boolean): void {
  published = performance.now();
  try {
    const { note } = writer.publish(whole);
    Atomics.add(control, CONTROL.version, 1);
    Atomics.store(control, CONTROL.note, putText(shared.note, note));
    Atomics.add(control, CONTROL.version, 1);
    Atomics.store(control, CONTROL.unpublished, 0);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const length = putText(shared.unpublished, code ?? message);
    Atomics.store(control, CONTROL.unpublished, length);
  }
}

for (let order = 0; order !== ORDER.close;) {
  const due = writer.unsigned ? published + PUBLISH_EVERY - performance.now() : Infinity;
  if (due > 0) Atomics.wait(control, CONTROL.request, seen, due);
  const request = Atomics.load(control, CONTROL.request);
  if (request !== seen) {
    seen = request;
    order = Atomics.load(control, CONTROL.order);
    if (order === ORDER.close && writer.unsigned) publish(true);
    answer(order);
  }
  const passed = performance.now() - published;
  if (order !== ORDER.close && writer.unsigned && passed >= PUBLISH_EVERY) publish(false);
}
writer.close();
