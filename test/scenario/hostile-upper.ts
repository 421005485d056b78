/** An upper server that is hostile in turns: every connection that it takes meets the next trouble. */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { FakeUpper } from '../fake/upper.js';

export type Turn =
  /** Serves, and closes after so many bytes. */
  | { readonly kind: 'fin' | 'reset' | 'stall' | 'alert'; readonly after: number }
  /** Answers the first message of the handshake with an alert: level and description. */
  | { readonly kind: 'refuse'; readonly alert: readonly [level: number, description: number] }
  /** Closes without a word, or answers the handshake with bytes that mean nothing. */
  | { readonly kind: 'slam' | 'noise' }
  /** Logs in, then sends what nobody asked for. */
  | { readonly kind: 'garbage' | 'answers' }
  | { readonly kind: 'serve' };

/** A TLS record of an alert (RFC 8446, section 5.1 and 6). */
const alertRecord = (level: number, description: number): Buffer =>
  Buffer.from([0x15, 3, 3, 0, 2, level, description]);
const INTERNAL_ERROR = 80;
const FATAL = 2;

export class HostileUpper {
  readonly honest: FakeUpper;
  /** Turns that were taken, by kind. */
  readonly taken = new Map<string, number>();
  /** From now on it serves. */
  calm = false;
  readonly #flooders: Readonly<Record<'garbage' | 'answers', FakeUpper>>;
  readonly #turns: readonly Turn[];
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #next = 0;

  private constructor(
    turns: readonly Turn[],
    honest: FakeUpper,
    garbage: FakeUpper,
    answers: FakeUpper,
  ) {
    this.#turns = turns;
    this.honest = honest;
    this.#flooders = { garbage, answers };
    this.#server = createServer({ noDelay: true }, (socket) => this.#accept(socket));
  }

  static async start(turns: readonly Turn[]): Promise<HostileUpper> {
    const [honest, garbage, answers] = await Promise.all([
      FakeUpper.start({ window: 'all' }),
      FakeUpper.start({ trouble: 'garbage' }),
      FakeUpper.start({ trouble: 'answers' }),
    ]);
    const upper = new HostileUpper(turns, honest, garbage, answers);
    upper.#server.listen(0, '127.0.0.1');
    await once(upper.#server, 'listening');
    return upper;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** The argument of each SEND that came to any of its faces. */
  get sends(): string[] {
    const { garbage, answers } = this.#flooders;
    return [this.honest, garbage, answers].flatMap(({ sends }) => sends);
  }

  /** Ends what is open: connections that stall would take their time. */
  dropAll(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  async close(): Promise<void> {
    const closed = once(this.#server, 'close');
    this.#server.close();
    this.dropAll();
    const { garbage, answers } = this.#flooders;
    await Promise.all([closed, this.honest.close(), garbage.close(), answers.close()]);
  }

  #accept(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on('error', () => socket.destroy());
    socket.on('close', () => this.#sockets.delete(socket));
    const turn: Turn = this.calm
      ? { kind: 'serve' }
      : this.#turns[this.#next++ % this.#turns.length]!;
    this.taken.set(turn.kind, (this.taken.get(turn.kind) ?? 0) + 1);
    switch (turn.kind) {
      case 'slam':
        socket.destroy();
        return;
      case 'noise':
        socket.once('data', () => socket.end(Buffer.alloc(20_000, '\x16\x03\x03+OK\r\n')));
        return;
      case 'refuse':
        socket.once('data', () => socket.end(alertRecord(...turn.alert)));
        return;
      case 'garbage':
      case 'answers':
        this.#join(socket, this.#flooders[turn.kind].port);
        return;
      default:
        this.#join(socket, this.honest.port, turn);
    }
  }

  /** Passes bytes both ways until the turn says otherwise. */
  #join(socket: Socket, port: number, turn: Turn = { kind: 'serve' }): void {
    const server = connect({ port, host: '127.0.0.1', noDelay: true });
    this.#sockets.add(server);
    server.on('error', () => server.destroy());
    server.on('close', () => {
      this.#sockets.delete(server);
      socket.end();
    });
    socket.on('close', () => server.destroy());
    server.pipe(socket, { end: false });
    let came = 0;
    socket.on('data', (chunk: Buffer) => {
      if (!server.write(chunk)) {
        socket.pause();
        server.once('drain', () => socket.resume());
      }
      came += chunk.length;
      if (!('after' in turn) || came < turn.after) return;
      if (turn.kind !== 'stall') server.unpipe(socket);
      if (turn.kind === 'fin') socket.end();
      if (turn.kind === 'reset') socket.resetAndDestroy();
      if (turn.kind === 'alert') socket.end(alertRecord(FATAL, INTERNAL_ERROR));
      if (turn.kind === 'stall') {
        socket.pause();
        server.pause();
        socket.removeAllListeners('data');
      }
    });
  }
}
