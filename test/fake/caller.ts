/** A client of a fake lower server that keeps every byte and waits without a clock. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';
import type { FakeLower, LowerConnection } from './lower.js';

export class Caller {
  readonly socket: Socket;
  /** The same one as the server sees it. */
  readonly connection: LowerConnection;
  readonly #chunks: Buffer[] = [];
  #written = 0;

  private constructor(socket: Socket, connection: LowerConnection) {
    this.socket = socket;
    this.connection = connection;
    socket.on('data', (chunk: Buffer) => this.#chunks.push(chunk));
    socket.on('error', () => undefined);
  }

  static async dial(lower: FakeLower): Promise<Caller> {
    const index = lower.connections.length;
    const socket = connect({ host: '127.0.0.1', port: lower.port, noDelay: true });
    await once(socket, 'connect');
    while (lower.connections.length === index) await turn();
    const caller = new Caller(socket, lower.connections[index]!);
    await caller.settle();
    return caller;
  }

  get bytes(): Buffer {
    return Buffer.concat(this.#chunks);
  }

  get text(): string {
    return this.bytes.toString('latin1');
  }

  /** Returns what came back, once the server has taken and answered all of it. */
  async ask(bytes: string | Buffer): Promise<string> {
    const before = this.bytes.length;
    this.socket.write(bytes);
    this.#written += Buffer.byteLength(bytes);
    await this.settle();
    return this.bytes.toString('latin1', before);
  }

  /** Waits, without a clock, until everything that was written has been read at both ends. */
  async settle(): Promise<void> {
    while (!this.connection.closed && !this.socket.destroyed) {
      const taken = this.connection.received.length === this.#written;
      if (taken && this.bytes.length === this.connection.sent) return;
      await turn();
    }
  }

  async ended(): Promise<void> {
    if (!this.socket.readableEnded && !this.socket.destroyed) await once(this.socket, 'end');
  }

  async hangUp(): Promise<void> {
    this.socket.destroy();
    while (!this.connection.closed) await turn();
  }
}
