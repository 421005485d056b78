/**
 * Inherited descriptors as streams: the only use of node:net by the valve and the gate.
 *
 * Nothing here can dial: the module exports no socket, and each end goes one way only.
 */
import { Socket } from 'node:net';

export interface Source {
  /** Stops reading until `resume`: what the peer sends waits in the kernel. */
  readonly pause: () => void;
  readonly resume: () => void;
  readonly close: () => void;
}

export interface SourceEvents {
  /** `chunk` is valid only during the call. */
  data(chunk: Uint8Array): void;
  /** The writer is gone: `undefined` after an orderly end, else what the kernel said. */
  ended(error: NodeJS.ErrnoException | undefined): void;
}

/** Reads a pipe or a socket that was inherited as descriptor `fd`, into one buffer of `size`. */
export function readDescriptor(fd: number, size: number, events: SourceEvents): Source {
  let failure: NodeJS.ErrnoException | undefined;
  const options = {
    fd,
    readable: true,
    writable: false,
    onread: {
      buffer: Buffer.allocUnsafe(size),
      callback: (length: number, buffer: Uint8Array): boolean => {
        events.data(buffer.subarray(0, length));
        return true;
      },
    },
  };
  const socket = new Socket(options);
  socket.on('error', (error) => (failure = error));
  socket.on('close', () => events.ended(failure));
  socket.resume();
  return {
    pause: () => void socket.pause(),
    resume: () => void socket.resume(),
    close: () => void socket.destroy(),
  };
}

/** Reads lines of a trusted writer, in latin1: a line without an end would grow without bound. */
export function readLines(
  fd: number,
  events: { line(line: string): void } & Pick<SourceEvents, 'ended'>,
): Source {
  let rest = '';
  return readDescriptor(fd, 4096, {
    data(chunk) {
      const lines = (rest + Buffer.from(chunk).toString('latin1')).split('\n');
      rest = lines.pop()!;
      for (const line of lines) events.line(line);
    },
    ended: (error) => events.ended(error),
  });
}

export interface Sink {
  /** Writes `bytes`, which must stay untouched until `done` is called; one write at a time. */
  write(bytes: Uint8Array, done: () => void): void;
}

/** Writes to a pipe that was inherited as descriptor `fd`; `broken` when its reader is gone. */
export function writeDescriptor(fd: number, broken: () => void): Sink {
  const socket = new Socket({ fd, readable: false, writable: true });
  socket.on('error', broken);
  return {
    write: (bytes, done) =>
      void socket.write(bytes, (error) => {
        if (!error) done();
      }),
  };
}
