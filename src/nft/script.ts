/** The lines of a login script as a packet filter knows them: the password by its length only. */
import type { LowerConfig } from '../config/config.js';
import type { Address } from './address.js';

/** IPv6 header, the largest TCP header: 40 and 60 bytes; an IPv4 header without options: 20. */
const HEADERS = { 4: 20 + 60, 6: 40 + 60 } as const;
/**
 * How often the whole script may go down a connection: TCP sends a lost line again, and `lower`
 * gives up a login after 1.5 s without an answer, in which one line can go out four times.
 */
const COPIES = 3;

export interface LoginLine {
  readonly command: 'USER' | 'PASS' | 'SFLT' | 'SMSK' | 'RCVLOOP';
  /** What the line begins with. */
  readonly known: Buffer;
  /** Bytes between that and the line's end that the filter does not know. */
  readonly hidden: number;
  /** The whole line with its CRLF. */
  readonly length: number;
}

function line(command: LoginLine['command'], known: string, hidden = 0): LoginLine {
  const bytes = Buffer.from(known);
  return { command, known: bytes, hidden, length: bytes.length + hidden + 2 };
}

/** The lines that `lower` sends, one to a segment (src/link/login.ts builds them). */
export function loginLines(
  { user, filter, mask }: Pick<LowerConfig, 'user' | 'filter' | 'mask'>,
  passwordBytes: number,
): LoginLine[] {
  return [
    line('USER', `USER ${user}`),
    line('PASS', 'PASS ', passwordBytes),
    ...(filter === undefined ? [] : [line('SFLT', `SFLT ${filter}`)]),
    ...(mask === undefined ? [] : [line('SMSK', `SMSK ${mask}`)]),
    line('RCVLOOP', 'RCVLOOP'),
  ];
}

/** Bytes of the packets that carry a script, and its lines again where they are lost. */
export function budgetOf(lines: readonly LoginLine[], addresses: readonly Address[]): number {
  const header = HEADERS[addresses.some(({ family }) => family === 6) ? 6 : 4];
  return COPIES * lines.reduce((sum, { length }) => sum + header + length, 0);
}
