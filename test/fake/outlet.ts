/** The writing side of one connection: whole, in pieces, or up to a number of bytes. */
import type { Socket } from 'node:net';

export interface OutletOptions {
  /** Splits every write into chunks of so many bytes, a turn of the event loop between. */
  pieces?: number | undefined;
  closeAfter?: number | undefined;
}

export class Outlet {
  readonly #socket: Socket;
  readonly #pieces: number;
  readonly #queue: Buffer[] = [];
  /** Bytes given to write(), those that a limit cut off left out. */
  sent = 0;
  #left: number;
  #ending = false;
  #turn: NodeJS.Immediate | undefined;

  constructor(socket: Socket, options: OutletOptions) {
    this.#socket = socket;
    this.#pieces = options.pieces ?? Infinity;
    this.#left = options.closeAfter ?? Infinity;
    socket.once('close', () => {
      clearImmediate(this.#turn);
      this.#queue.length = 0;
      this.#ending = true;
    });
  }

  /** Bytes that the client's side of the connection has not taken yet. */
  get waiting(): number {
    return this.#queue.reduce((sum, piece) => sum + piece.length, this.#socket.writableLength);
  }

  write(bytes: Buffer): void {
    if (this.#ending) return;
    const allowed = bytes.subarray(0, this.#left);
    this.#left -= allowed.length;
    this.sent += allowed.length;
    for (let at = 0; at < allowed.length; at += this.#pieces) {
      this.#queue.push(allowed.subarray(at, at + this.#pieces));
    }
    if (this.#left === 0) this.#ending = true;
    if (this.#turn === undefined) this.#pump();
  }

  /** Closes both directions, as a server's close() does, behind what is still to be written. */
  end(): void {
    this.#ending = true;
    if (this.#turn === undefined) this.#pump();
  }

  #pump(): void {
    this.#turn = undefined;
    const piece = this.#queue.shift();
    if (piece) this.#socket.write(piece);
    if (this.#queue.length > 0) {
      this.#turn = setImmediate(() => this.#pump()).unref();
    } else if (this.#ending) {
      this.#socket.destroySoon();
    }
  }
}
