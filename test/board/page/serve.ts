/** A small stand-in for the public server: pages, the API that the page asks, and the stream. */
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { loadPages, type Pages } from '../../../src/board/pages/pages.js';
import { RANGES } from '../../../src/page/words.js';
import type { Resolution } from '../../../src/sensor/view.js';
import type { FakeHistory, FakeView } from '../fake.js';

const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
  "base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
const TIMES = new Set(['time', 'since', 'started', 'beacon', 'received']);
const DAY = 86_400_000;
const LAST_MOMENT = 8.64e15;

export class PageServer {
  readonly pages: Pages = loadPages();
  view: FakeView;
  history: FakeHistory;
  /** Whether it answers nothing, and streams break. */
  #down = false;
  readonly #server: Server;
  readonly #streams = new Set<ServerResponse>();
  readonly paths: string[] = [];

  private constructor(view: FakeView, history: FakeHistory) {
    this.view = view;
    this.history = history;
    this.#server = createServer((request, response) => {
      this.paths.push(request.url!);
      if (this.#down) {
        response.destroy();
        return;
      }
      response.setHeader('Content-Security-Policy', POLICY);
      response.setHeader('X-Content-Type-Options', 'nosniff');
      response.setHeader('Cross-Origin-Opener-Policy', 'same-origin');
      response.setHeader('Cross-Origin-Resource-Policy', 'same-origin');
      this.#answer(new URL(request.url!, 'http://board'), response).catch((error: unknown) => {
        response.statusCode = 500;
        response.end(String(error));
      });
    });
  }

  static async start(view: FakeView, history: FakeHistory): Promise<PageServer> {
    const server = new PageServer(view, history);
    await new Promise<void>((resolve) => server.#server.listen(0, '127.0.0.1', resolve));
    return server;
  }

  get origin(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  get streams(): number {
    return this.#streams.size;
  }

  /** What the real one sends when sensors changed. */
  sendSensors(...ids: readonly string[]): void {
    const sensors = this.view.sensors().filter(({ id }) => ids.length === 0 || ids.includes(id));
    this.#send('sensors', { revision: this.view.revision, sensors });
  }

  sendAlarms(): void {
    this.#send('alarms', { alarms: this.view.alarms() });
  }

  sendRelay(): void {
    this.#send('relay', this.view.relay());
  }

  goDown(): void {
    this.#down = true;
    for (const stream of this.#streams) stream.destroy();
  }

  comeUp(): void {
    this.#down = false;
  }

  close(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }

  #send(event: string, data: unknown): void {
    for (const stream of this.#streams) stream.write(`event: ${event}\ndata: ${json(data)}\n\n`);
  }

  async #answer({ pathname, searchParams }: URL, response: ServerResponse): Promise<void> {
    const now = Date.now();
    const asset = this.pages.assets.get(pathname);
    const [, id, more] = /^\/(?:api\/v1\/)?sensors\/([^/]+)(?:\/(\w+))?$/.exec(pathname) ?? [];
    const sensor = this.view.sensor(decodeURIComponent(id ?? ''));
    if (asset) reply(response, asset.type, asset.bytes);
    else if (pathname === '/')
      reply(response, 'text/html; charset=utf-8', this.pages.index(this.view, now));
    else if (pathname === '/api/v1/sensors')
      replyJson(response, {
        title: this.view.title,
        revision: this.view.revision,
        time: now,
        zones: this.view.zones,
        sensors: this.view.sensors(),
      });
    else if (pathname === '/api/v1/alarms') replyJson(response, { alarms: this.view.alarms() });
    else if (pathname === '/api/v1/status')
      replyJson(response, {
        title: this.view.title,
        started: this.view.started,
        relay: this.view.relay(),
        counters: this.view.counters(),
      });
    else if (pathname === '/api/v1/stream') this.#stream(response);
    else if (sensor && pathname.startsWith('/api/') && more === 'series') {
      const [from, to] = [searchParams.get('from')!, searchParams.get('to')!].map(Date.parse);
      const points = Number(searchParams.get('points'));
      const resolution = (searchParams.get('resolution') ?? undefined) as Resolution | undefined;
      replyJson(response, await this.history.series(sensor.id, from!, to!, points, resolution));
    } else if (sensor && pathname.startsWith('/api/')) replyJson(response, sensor);
    else if (sensor && more === undefined) {
      const range = RANGES.find((each) => each.id === searchParams.get('range'));
      const span = range?.span ?? DAY;
      const resolution = span <= DAY ? 'raw' : undefined;
      const series = await this.history.series(sensor.id, now - span, now, 500, resolution);
      reply(
        response,
        'text/html; charset=utf-8',
        this.pages.sensor(this.view, sensor, series, now, range),
      );
    } else {
      response.statusCode = 404;
      reply(response, 'text/html; charset=utf-8', this.pages.notFound());
    }
  }

  #stream(response: ServerResponse): void {
    response.setHeader('Content-Type', 'text/event-stream');
    response.write('retry: 3000\n\n');
    this.#streams.add(response);
    response.on('close', () => this.#streams.delete(response));
  }
}

function reply(response: ServerResponse, type: string, body: string | Buffer): void {
  response.setHeader('Content-Type', type);
  response.end(body);
}

function replyJson(response: ServerResponse, body: unknown): void {
  reply(response, 'application/json', json(body));
}

/** Times as the API has them. */
function json(body: unknown): string {
  return JSON.stringify(body, (key, value: unknown) => {
    if (!TIMES.has(key) || typeof value !== 'number') return value;
    return value === 0 || Math.abs(value) > LAST_MOMENT ? null : new Date(value).toISOString();
  });
}
