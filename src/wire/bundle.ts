/**
 * The policies in force, those before them, and their keys, in one file that the supervisor rewrites and the gate reads.
 *
 * `<SHA-256 of the rest, in hex>\n<JSON>`: a reader that meets a file half rewritten sees a digest
 * that does not fit, and looks again later. Nothing leads back: the gate's descriptor is read-only.
 */
import { createHash } from 'node:crypto';
import { fstatSync, ftruncateSync, readSync, writeSync } from 'node:fs';

export interface PolicyText {
  readonly file: string;
  readonly text: string;
}

export interface Bundle {
  /** Of the reload that handed it on; 0: what the relay began with. */
  readonly number: number;
  readonly policies: readonly PolicyText[];
  /** Keys of pseudonyms by the paths of their files. */
  readonly keys: Readonly<Record<string, string>>;
  /** The note by which they are signed; none: nobody must sign them. */
  readonly manifest?: string | undefined;
}

const MARK = 65;

function hash(...parts: readonly (string | Uint8Array)[]): string {
  const sha256 = createHash('sha256');
  for (const part of parts) sha256.update(part);
  return sha256.digest('hex');
}

/** What tells policies apart: SHA-256 over all texts in order, each behind its length in bytes. */
export function digestOf(policies: readonly PolicyText[]): string {
  return hash(...policies.flatMap(({ text }) => [`${Buffer.byteLength(text)}\n`, text]));
}

/** @throws Error of the file system: then the file is torn, and to be written again with less */
export function writeBundles(fd: number, bundles: readonly Bundle[]): void {
  const json = Buffer.from(JSON.stringify(bundles));
  const bytes = Buffer.concat([Buffer.from(`${hash(json)}\n`), json]);
  for (let done = 0; done < bytes.length;) {
    done += writeSync(fd, bytes, done, bytes.length - done, done);
  }
  ftruncateSync(fd, bytes.length);
}

/** The first line of the file, by which a change shows. */
export function readMark(fd: number): string {
  const bytes = Buffer.alloc(MARK);
  return bytes.toString('latin1', 0, readSync(fd, bytes, 0, MARK, 0));
}

/** The newest first; none while the file is being rewritten. */
export function readBundles(fd: number): readonly Bundle[] {
  const bytes = Buffer.alloc(fstatSync(fd).size);
  let length = 0;
  for (let read = 1; read > 0 && length < bytes.length; length += read) {
    read = readSync(fd, bytes, length, bytes.length - length, length);
  }
  const json = bytes.subarray(MARK, length);
  if (bytes.toString('latin1', 0, MARK) !== `${hash(json)}\n`) return [];
  return JSON.parse(json.toString('utf8')) as Bundle[];
}
