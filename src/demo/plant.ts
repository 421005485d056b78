/** An embedded lower VSCP server: the simulated plant that the demo's relay reads from. */
import { createServer, type Server, type Socket } from 'node:net';
import type { AddressInfo } from 'node:net';

const GREETING = 'tidegate demo plant\r\nVersion: 1.0.0\r\n+OK - Success.\r\n';
const SIGN_OF_LIFE = 2000;
/** A client that does not read: what is beyond this many bytes is dropped, as real servers do. */
const MAX_QUEUE = 16 * 2 ** 20;

export interface PlantOptions {
  readonly user: string;
  readonly password: string;
}

export class Plant {
  /** Event lines sent into receive loops. */
  sent = 0;
  /** Bytes received up to the end of each RCVLOOP line, and after it. */
  scriptBytes = 0;
  afterScriptBytes = 0;
  readonly #options: PlantOptions;
  readonly #server: Server;
  readonly #readers = new Set<Socket>();
  readonly #sockets = new Set<Socket>();
  #timer: NodeJS.Timeout | undefined;

  constructor(options: PlantOptions) {
    this.#options = options;
    this.#server = createServer((socket) => this.#serve(socket));
  }

  /** Listens on a free port of the loopback; returns it. */
  async listen(): Promise<number> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    this.#timer = setInterval(() => {
      for (const reader of this.#readers) reader.write('+OK\r\n');
    }, SIGN_OF_LIFE);
    return (this.#server.address() as AddressInfo).port;
  }

  /** Whether somebody is in the receive loop. */
  get watched(): boolean {
    return this.#readers.size > 0;
  }

  /** Sends lines, each ended by CRLF, to everybody in the receive loop. */
  send(lines: string, count: number): void {
    for (const reader of this.#readers) {
      if (reader.writableLength > MAX_QUEUE) continue;
      reader.write(lines);
      this.sent += count;
    }
  }

  close(): void {
    clearInterval(this.#timer);
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
  }

  #serve(socket: Socket): void {
    let rest = '';
    let user = '';
    let known = false;
    this.#sockets.add(socket);
    socket.setNoDelay(true);
    socket.on('error', () => socket.destroy());
    socket.on('close', () => {
      this.#readers.delete(socket);
      this.#sockets.delete(socket);
    });
    socket.write(GREETING);
    socket.on('data', (chunk) => {
      if (this.#readers.has(socket)) {
        this.afterScriptBytes += chunk.length;
        return;
      }
      this.scriptBytes += chunk.length;
      const lines = (rest + chunk.toString('latin1')).split('\r\n');
      rest = lines.pop()!.slice(0, 1024);
      for (const line of lines) {
        const [verb, argument = ''] = line.split(/ (.*)/s);
        if (verb === 'USER') user = argument;
        if (verb === 'PASS') {
          known = user === this.#options.user && argument === this.#options.password;
          if (!known) {
            socket.end('-OK - Invalid username or password.\r\n');
            return;
          }
        }
        const refused = (verb === 'RCVLOOP' || verb === 'SFLT' || verb === 'SMSK') && !known;
        socket.write(refused ? '-OK - Need to log in to perform this command.\r\n' : '+OK\r\n');
        if (verb === 'RCVLOOP' && known) this.#readers.add(socket);
      }
    });
  }
}
