/** A public server of a fake board, and clients that say to it whatever a test wants. */
import { once } from 'node:events';
import { type IncomingHttpHeaders, request } from 'node:http';
import { connect, type Socket } from 'node:net';
import type { HttpLimits } from '../../../src/board/http/limits.js';
import type { LinkCounters } from '../../../src/board/link/server.js';
import type { Pages } from '../../../src/board/pages/pages.js';
import { PublicServer, type PublicTls } from '../../../src/board/http/server.js';
import { FakeHistory, FakeView, noLinks } from '../fake.js';

export class FakePages implements Pages {
  /** How often a page was made. */
  made = 0;
  trouble: Error | undefined;
  readonly assets = new Map([
    [
      '/assets/board.0a1b2c.js',
      { type: 'text/javascript; charset=utf-8', bytes: Buffer.from('let a = 1;\n'.repeat(500)) },
    ],
    ['/assets/favicon.0a1b2c.svg', { type: 'image/svg+xml', bytes: Buffer.from('<svg/>') }],
  ]);

  index(view: FakeView, now: number): string {
    return this.#make(`<!doctype html><title>${view.title}</title><body data-now="${now}">`);
  }

  sensor(_: unknown, { id }: { id: string }, series: { points: readonly unknown[] } | undefined) {
    return this.#make(`<!doctype html><p>${id} ${series?.points.length ?? 'no series'}</p>`);
  }

  notFound(): string {
    return this.#make('<!doctype html><p>Not here</p>');
  }

  #make(text: string): string {
    this.made++;
    if (this.trouble) throw this.trouble;
    return text;
  }
}

export interface Reply {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly bytes: Buffer;
  readonly text: string;
}

export interface Wish {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string | string[]>>;
  /** Whose connection it is: any address of 127/8. */
  readonly from?: string;
}

export class Served {
  readonly view: FakeView;
  readonly history: FakeHistory;
  readonly pages: FakePages;
  readonly link: { readonly counters: LinkCounters };
  readonly server: PublicServer;

  private constructor(
    board: Pick<Served, 'view' | 'history' | 'pages' | 'link'>,
    it: PublicServer,
  ) {
    this.view = board.view;
    this.history = board.history;
    this.pages = board.pages;
    this.link = board.link;
    this.server = it;
  }

  /** Closed with the test. */
  static async start(
    t: { teardown: (end: () => Promise<void>) => void },
    limits: Partial<HttpLimits> = {},
    view = FakeView.of(3),
    tls?: PublicTls,
  ): Promise<Served> {
    const link = { counters: noLinks() };
    const board = { view, history: new FakeHistory(), pages: new FakePages(), link };
    const options = { host: '127.0.0.1', port: 0, limits, ...(tls ? { tls } : {}) };
    const server = await PublicServer.start(options, board);
    t.teardown(() => server.close());
    return new Served(board, server);
  }

  get counters() {
    return this.server.counters;
  }

  /** On a connection of its own. */
  async ask(path: string, { method = 'GET', headers = {}, from }: Wish = {}): Promise<Reply> {
    const req = request({
      host: '127.0.0.1',
      port: this.server.port,
      path,
      method,
      headers,
      agent: false,
      ...(from === undefined ? {} : { localAddress: from }),
    });
    req.end();
    const [res] = (await once(req, 'response')) as [import('node:http').IncomingMessage];
    const chunks: Buffer[] = [];
    for await (const chunk of res) chunks.push(chunk as Buffer);
    const bytes = Buffer.concat(chunks);
    return { status: res.statusCode!, headers: res.headers, bytes, text: bytes.toString() };
  }

  async json(path: string, wish?: Wish): Promise<unknown> {
    const { status, text } = await this.ask(path, wish);
    if (status !== 200) throw new Error(`${path}: ${status} ${text}`);
    return JSON.parse(text) as unknown;
  }

  async dial(from?: string): Promise<Line> {
    const address = from === undefined ? {} : { localAddress: from };
    const socket = connect({ host: '127.0.0.1', port: this.server.port, ...address });
    const line = new Line(socket);
    await once(socket, 'connect');
    return line;
  }

  /** All that comes back to these bytes, until the server closes. */
  async say(bytes: string | Buffer): Promise<string> {
    const line = await this.dial();
    line.socket.write(bytes);
    return line.all();
  }

  async stream(query = '', headers = '', from?: string): Promise<Line> {
    const line = await this.dial(from);
    line.socket.write(`GET /api/v1/stream${query} HTTP/1.1\r\nHost: x\r\n${headers}\r\n`);
    return line;
  }
}

/** A connection, and what came on it. */
export class Line {
  readonly socket: Socket;
  #text = '';

  constructor(socket: Socket) {
    this.socket = socket;
    socket.on('data', (chunk: Buffer) => (this.#text += chunk.toString('latin1')));
    socket.on('error', () => undefined);
  }

  /** As it came: a character is a byte. */
  get text(): string {
    return this.#text;
  }

  get closed(): boolean {
    return this.socket.destroyed || this.socket.readableEnded;
  }

  /** Until this has come; returns what it found. */
  async until(pattern: RegExp | string): Promise<string> {
    const found = (): boolean =>
      typeof pattern === 'string' ? this.#text.includes(pattern) : pattern.test(this.#text);
    await eventually(() => found() || this.closed);
    if (!found()) throw new Error(`closed before ${pattern.toString()}: ${this.#text}`);
    return this.#text;
  }

  async all(): Promise<string> {
    await eventually(() => this.closed);
    return this.#text;
  }

  /** Events of a stream, in order. */
  events(): { event: string; id: string | undefined; data: Record<string, unknown> }[] {
    return this.#text
      .slice(this.#text.indexOf('\r\n\r\n') + 4)
      .split('\n\n')
      .slice(0, -1)
      .flatMap((block) => {
        const field = (name: string): string | undefined =>
          new RegExp(`^${name}: (.*)$`, 'm').exec(block)?.[1];
        const data = field('data');
        if (data === undefined) return [];
        const value = JSON.parse(Buffer.from(data, 'latin1').toString()) as Record<string, unknown>;
        return [{ event: field('event') ?? '', id: field('id'), data: value }];
      });
  }
}

/** Waits generously until it holds. */
export async function eventually(holds: () => boolean, patience = 60_000): Promise<void> {
  const end = Date.now() + patience;
  while (!holds()) {
    if (Date.now() > end) throw new Error(`never: ${holds.toString()}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
