/** What the supervisor hands to each process at its start: settings and secrets, by descriptor. */
import { closeSync, fstatSync, readSync } from 'node:fs';
import type { PolicyText } from './bundle.js';
import { FD } from './fd.js';

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
    /** ms between beacons; absent: none. */
    readonly beacon?: number | undefined;
  }[];
  /** Where the gate's status file goes. */
  readonly directory: string;
  readonly audit: {
    readonly directory: string;
    /** The relay's name; undefined: the one that the log has, or `host`. */
    readonly relay: string | undefined;
    readonly host: string;
  };
  /** Who must have signed the policies: public keys, how many, and those that are revoked. */
  readonly signers?: {
    readonly keys: readonly string[];
    readonly threshold: number;
    readonly revoked: readonly string[];
  };
}

/** What is to be checked before it replaces the policies in force. */
export interface CheckerSettings {
  readonly policies: readonly PolicyText[];
  readonly sources: readonly string[];
  readonly channels: readonly string[];
}

export interface UpperSettings {
  readonly name: string;
  readonly channel: string;
  /** Directory of the channel's journal. */
  readonly journal: string;
  readonly user: string;
  readonly window: number;
  readonly timestamps: 'datetime' | 'nanoseconds';
  readonly drain: 'urgent-first' | 'in-order';
  readonly servername: string;
}

/** What each process is told. */
export interface Settings {
  readonly lower: LowerSettings;
  readonly dial: DialSettings;
  readonly gate: GateSettings;
  readonly checker: CheckerSettings;
  readonly upper: UpperSettings;
}

/** Reads the settings that the supervisor wrote for a process of this role. */
export function takeSettings<R extends keyof Settings>(role: R): Settings[R] {
  const all = JSON.parse(takeText(FD.settings)) as Settings;
  return all[role];
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
