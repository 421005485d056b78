/** Writing files so that they are there after a power cut. */
import { closeSync, fsyncSync, openSync, writeSync } from 'node:fs';

/** Writes all of `bytes[0..length)` at `position`. @throws Error of the file system */
export function writeAll(fd: number, bytes: Uint8Array, length: number, position: number): void {
  let done = 0;
  while (done < length) done += writeSync(fd, bytes, done, length - done, position + done);
}

/** Makes durable which names a directory holds. @throws Error of the file system */
export function syncDirectory(directory: string): void {
  const fd = openSync(directory, 'r');
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}
