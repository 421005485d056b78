// The two files of an identity on disk: NAME.pem and NAME.key, both or neither, never overwritten.
import { randomBytes } from 'node:crypto';
import { link, lstat, open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Identity } from './draft.js';

/** Where an identity lies. */
export interface PairPaths {
  readonly certificate: string;
  readonly key: string;
}

const CERTIFICATE_MODE = 0o644;
const KEY_MODE = 0o600;

function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}

/** Names the two files of an identity; `name` must be a plain file name. */
export function pairPaths(directory: string, name: string): PairPaths {
  return { certificate: join(directory, `${name}.pem`), key: join(directory, `${name}.key`) };
}

/**
 * Looks for files in the way, before work is done in vain; only {@link writePair} is decisive.
 * @throws Error that names the first file that exists, a dangling symbolic link included.
 */
export async function checkVacant(paths: PairPaths): Promise<void> {
  for (const path of [paths.certificate, paths.key]) {
    try {
      await lstat(path);
    } catch (error) {
      if (hasCode(error, 'ENOENT')) continue;
      throw error;
    }
    throw new Error(`${path} already exists and is left as it is`);
  }
}

// O_EXCL neither follows a symbolic link nor reuses a file that somebody else has open.
async function writeNew(path: string, text: string, mode: number): Promise<void> {
  const file = await open(path, 'wx', 0o600);
  try {
    await file.chmod(mode); // Exact, whatever the umask.
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
}

async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

// Unlike rename(2), link(2) fails if the target exists: nothing is overwritten, even in a race.
async function publish(temporary: string, path: string): Promise<void> {
  try {
    await link(temporary, path);
  } catch (error) {
    if (!hasCode(error, 'EEXIST')) throw error;
    throw new Error(`${path} already exists and is left as it is`, { cause: error });
  }
}

/**
 * Writes the key (mode 0600), then the certificate (mode 0644), under temporary names, and gives
 * them their names only when both are on disk. The certificate comes last: where it is, its key is.
 * @throws Error if a file exists or cannot be written; then nothing of this call is left behind.
 */
export async function writePair(directory: string, name: string, pair: Identity): Promise<void> {
  const paths = pairPaths(directory, name);
  const stem = join(directory, `.${name}.${randomBytes(6).toString('hex')}`);
  const temporary = { certificate: `${stem}.pem.tmp`, key: `${stem}.key.tmp` };
  try {
    await writeNew(temporary.key, pair.key, KEY_MODE);
    await writeNew(temporary.certificate, pair.certificate, CERTIFICATE_MODE);
    await publish(temporary.key, paths.key);
    try {
      await publish(temporary.certificate, paths.certificate);
    } catch (error) {
      await rm(paths.key, { force: true });
      throw error;
    }
  } finally {
    await rm(temporary.key, { force: true });
    await rm(temporary.certificate, { force: true });
  }
  await syncDirectory(directory);
}
