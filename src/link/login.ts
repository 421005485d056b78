/**
 * The login script: every byte that will ever be written towards a lower server, computed before
 * the connection exists.
 *
 * Source: VSCP specification, "VSCP over tcp/ip": USER, PASS, SFLT, SMSK, RCVLOOP. One command is
 * outstanding at a time, because real servers execute only one of several that come together.
 */

export interface LoginOptions {
  readonly user: string;
  readonly password: string;
  readonly filter: string | undefined;
  readonly mask: string | undefined;
}

export type LoginStep = 'USER' | 'PASS' | 'SFLT' | 'SMSK' | 'RCVLOOP';

export interface LoginScript {
  /** What must not come back in a log: a server may echo what it was sent. */
  readonly secret: string;
  readonly bytes: Buffer;
  /** Where each command ends in `bytes`; the last is RCVLOOP, whose answer the valve reads. */
  readonly steps: readonly { readonly name: LoginStep; readonly end: number }[];
}

/**
 * Builds the script.
 *
 * @throws Error if a field would break out of its line
 */
export function buildLogin({ user, password, filter, mask }: LoginOptions): LoginScript {
  const commands: [LoginStep, string | undefined][] = [
    ['USER', user],
    ['PASS', password],
    ['SFLT', filter],
    ['SMSK', mask],
  ];
  let text = '';
  const steps: { name: LoginStep; end: number }[] = [];
  for (const [name, argument] of commands) {
    if (argument === undefined) continue;
    if (argument === '' || /[\u0000-\u001f\u007f]/.test(argument)) {
      throw new Error(`${name}: the argument is empty or holds control characters`);
    }
    text += `${name} ${argument}\r\n`;
    steps.push({ name, end: Buffer.byteLength(text) });
  }
  text += 'RCVLOOP\r\n';
  steps.push({ name: 'RCVLOOP', end: Buffer.byteLength(text) });
  return { secret: password, bytes: Buffer.from(text), steps };
}
