/** What the supervisor hands to each process at its start: settings and secrets, by descriptor. */
import { closeSync, fstatSync, readSync } from 'node:fs';

/** Descriptors by number, the same in every process that has them. */
export const FD = {
  /** valve: the logged-in socket; upper: the connection. */
  socket: 0,
  log: 2,
  settings: 3,
  password: 4,
  key: 5,
  /** upper: PEM files of the authority and of its own certificate. */
  ca: 6,
  cert: 7,
  /** valve: the pipe to the gate; gate: the first of the pipes from the valves. */
  pipe: 8,
} as const;

export interface LowerSettings {
  readonly name: string;
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly filter: string | undefined;
  readonly mask: string | undefined;
}

export interface DialSettings {
  readonly name: string;
  readonly host: string;
  readonly port: number;
}

export interface GateSettings {
  /** In the order of their pipes from FD.pipe on. */
  readonly sources: readonly string[];
  readonly channels: readonly {
    readonly name: string;
    readonly directory: string;
    readonly retain: { readonly size: number; readonly age: number };
  }[];
  readonly policies: readonly { readonly file: string; readonly text: string }[];
  /** Where the gate's status file goes. */
  readonly directory: string;
}

export interface UpperSettings {
  readonly name: string;
  readonly channel: string;
  readonly journal: string;
  /** Its own directory: cursor, rejects, status. */
  readonly directory: string;
  readonly user: string;
  readonly window: number;
  readonly timestamps: 'datetime' | 'nanoseconds';
  readonly servername: string;
}

/** Reads the settings that the supervisor wrote; it and the process agree on T. */
export function takeSettings<T>(): T {
  return JSON.parse(takeText(FD.settings)) as T;
}

/**
 * Reads a file that was inherited as a descriptor, and closes the descriptor.
 *
 * From position 0: the supervisor may hand the same open file to the next process too.
 */
export function takeText(fd: number): string {
  const bytes = Buffer.alloc(fstatSync(fd).size);
  let length = 0;
  for (let read = 1; read > 0 && length < bytes.length; length += read) {
    read = readSync(fd, bytes, length, bytes.length - length, length);
  }
  closeSync(fd);
  return bytes.toString('utf8', 0, length);
}

/** Reads a secret: the newline at its end is not part of it. */
export function takeSecret(fd: number): string {
  return takeText(fd).replace(/\r?\n$/, '');
}
