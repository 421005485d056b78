/** Secret files: where they stand, who may read them, what they hold. */
import { closeSync, constants, fstatSync, openSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Field } from '../document/document.js';

const MAX_SECRET = 64 * 1024;
const CREDENTIAL = 'credential:';

/**
 * Path of a secret: relative to the configuration, or `credential:NAME` for systemd's
 * `$CREDENTIALS_DIRECTORY/NAME`.
 *
 * @throws DocumentError
 */
export function secretPath(
  field: Field,
  directory: string,
  environment: NodeJS.ProcessEnv,
): string {
  const text = field.text(4096);
  if (!text.startsWith(CREDENTIAL)) return resolve(directory, text);
  const name = text.slice(CREDENTIAL.length);
  if (!/^[A-Za-z0-9_.-]+$/.test(name) || name.startsWith('.')) {
    throw field.error(`'${name}' is no credential name`);
  }
  const credentials = environment['CREDENTIALS_DIRECTORY'];
  if (credentials === undefined || credentials === '') {
    throw field.error(
      `'${text}' needs $CREDENTIALS_DIRECTORY: start tidegate from a systemd unit with ` +
        `LoadCredential=${name}:/path/of/the/file`,
    );
  }
  return join(credentials, name);
}

/**
 * Opens a secret read-only, refusing what others can read.
 *
 * @returns a descriptor that the caller closes
 * @throws DocumentError that says what to do
 */
export function openSecret(field: Field, path: string): number {
  let fd: number;
  try {
    // A FIFO in its place would hold the start for ever.
    fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    const { code = 'error' } = error as NodeJS.ErrnoException;
    throw field.error(`cannot read ${path}: ${code}`, error);
  }
  try {
    const { mode, size } = fstatSync(fd);
    if ((mode & constants.S_IFMT) !== constants.S_IFREG) throw field.error(`${path} is no file`);
    if (size > MAX_SECRET) throw field.error(`${path} is larger than 64 KiB`);
    // systemd shows the mask of a credential's access list as its group bits.
    const open = field.text(4096).startsWith(CREDENTIAL) ? 0o007 : 0o077;
    if ((mode & open) !== 0) {
      const shown = (mode & 0o777).toString(8).padStart(4, '0');
      throw field.error(`${path} can be read by others (mode ${shown}): chmod 600 ${path}`);
    }
    return fd;
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

/** The text of an open secret, without the newline at its end; closes the descriptor. */
export function readSecret(fd: number): string {
  try {
    return readFileSync(fd, 'utf8').replace(/\r?\n$/, '');
  } finally {
    closeSync(fd);
  }
}

/**
 * A password that a login line can carry: one line of printable text, 256 bytes at most. U+FFFD
 * stands for bytes that are not UTF-8, which could not be sent as they are.
 */
export function isPassword(text: string): boolean {
  return text !== '' && Buffer.byteLength(text) <= 256 && !/[\u0000-\u001f\u007f\ufffd]/.test(text);
}
