/** Passphrases: asked for on the terminal, which does not show them, or read from a file. */
import { readPrivate } from '../note/key-file.js';
import { checkPassphrase } from '../note/key.js';
import { NoteError } from '../note/note.js';

/** Of a terminal: `process.stdin` is one. */
export interface Keyboard {
  readonly isTTY?: boolean;
  setRawMode(raw: boolean): unknown;
  setEncoding(encoding: 'utf8'): unknown;
  on(event: 'data', listener: (text: string) => void): unknown;
  off(event: 'data', listener: (text: string) => void): unknown;
  resume(): unknown;
  pause(): unknown;
  unshift(text: string): unknown;
}

const LEAST = 8;

/** What arrow keys and the like send. */
const SEQUENCE = /\x1b(?:\[[0-9;]*[A-Za-z~]|O[A-Za-z])/g;

/**
 * Asks for one line, and shows nothing of it. Backspace and Ctrl-U delete, Ctrl-C gives up.
 *
 * @throws NoteError where there is no terminal, or the person gives up
 */
export function askSecret(
  prompt: string,
  keyboard: Keyboard = process.stdin,
  say: (text: string) => void = (text) => void process.stderr.write(text),
): Promise<string> {
  if (keyboard.isTTY !== true) {
    const words = 'there is no terminal to ask for a passphrase on: name --passphrase-file FILE';
    return Promise.reject(new NoteError(words));
  }
  say(prompt);
  keyboard.setEncoding('utf8');
  keyboard.setRawMode(true);
  return new Promise((resolve, reject) => {
    let line: string[] = [];
    const end = (rest: string): void => {
      keyboard.off('data', take);
      keyboard.setRawMode(false);
      keyboard.pause();
      if (rest !== '') keyboard.unshift(rest);
      say('\n');
    };
    const take = (text: string): void => {
      const keys = Array.from(text.replace(SEQUENCE, ''));
      for (const [i, key] of keys.entries()) {
        if (key === '\r' || key === '\n') {
          end(keys.slice(i + 1).join(''));
          resolve(line.join(''));
          return;
        }
        if (key === '\x03' || key === '\x04') {
          end('');
          reject(new NoteError('given up: nothing is written'));
          return;
        }
        if (key === '\x7f' || key === '\b') line = line.slice(0, -1);
        else if (key === '\x15') line = [];
        else if (key >= ' ') line.push(key);
      }
    };
    keyboard.on('data', take);
    keyboard.resume();
  });
}

/** The first line of a file that nobody else may read. @throws NoteError */
export function readPassphrase(file: string): string {
  const [line = ''] = readPrivate(file).split(/\r?\n/);
  try {
    checkPassphrase(line);
  } catch (error) {
    throw new NoteError(`${file}: ${(error as Error).message}`, { cause: error });
  }
  return line;
}

/**
 * Of a new key: asked for twice.
 *
 * @param ask gives one line for a prompt
 * @throws NoteError if the two differ, or it is too short
 */
export async function askNew(ask: (prompt: string) => Promise<string>): Promise<string> {
  const passphrase = await ask('Passphrase of the new key: ');
  checkNew(passphrase);
  if ((await ask('The same again: ')) !== passphrase) {
    throw new NoteError('the two differ: nothing is written');
  }
  return passphrase;
}

/** @throws NoteError for what is too short to keep a key */
export function checkNew(passphrase: string): void {
  checkPassphrase(passphrase);
  if (Array.from(passphrase).length >= LEAST) return;
  throw new NoteError(`the passphrase is shorter than ${LEAST} characters`);
}
