/** A server on the loopback, for the connections of the examination: it greets and counts. */
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import type { RawHandle } from '../wire/handover.js';

const GREETING = '+OK - Receive loop entered.\r\n';

export class Peer {
  /** Bytes that came in, and connections. */
  taken = 0;
  accepted = 0;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor() {
    this.#server = createServer((socket) => {
      this.accepted++;
      this.#sockets.add(socket);
      socket.on('data', (chunk) => (this.taken += chunk.length));
      socket.on('error', () => undefined);
      socket.on('close', () => this.#sockets.delete(socket));
      socket.write(GREETING);
    });
  }

  static async open(): Promise<Peer> {
    const peer = new Peer();
    await new Promise<void>((resolve, reject) => {
      peer.#server.on('error', reject);
      peer.#server.listen(0, '127.0.0.1', resolve);
    });
    return peer;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** A connection to the server, unread, and how to close our copy of it. */
  async connect(): Promise<{ handle: RawHandle; release: () => void }> {
    const socket = connect({ host: '127.0.0.1', port: this.port });
    socket.pause();
    await new Promise<void>((resolve, reject) => {
      socket.on('error', reject);
      socket.on('connect', resolve);
    });
    const handle = (socket as unknown as { _handle: RawHandle })._handle;
    return { handle, release: () => void socket.destroy() };
  }

  close(): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }
}
