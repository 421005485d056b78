/** How answers are sent: to HEAD without a body, unchanged ones as 304, gzip'd for who takes it. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { HttpCounters } from './counters.js';
import { type Headers, METHODS, PREFLIGHT, standingHeaders } from './headers.js';
import { Kept } from './kept.js';
import type { Problem } from './problem.js';

/** A request on its way to its answer. */
export interface Exchange {
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
  readonly head: boolean;
  /** Whether its path is one of the API's. */
  readonly api: boolean;
  /** Of its client, as limits count it. */
  readonly network: string;
  readonly path: string;
  readonly search: string;
}

export class Replies {
  readonly #headers: { readonly page: Headers; readonly api: Headers };
  readonly #counters: HttpCounters;

  constructor(secure: boolean, counters: HttpCounters) {
    const page = standingHeaders(secure, false);
    this.#headers = { page, api: standingHeaders(secure, true) };
    this.#counters = counters;
  }

  /** @param cache for Cache-Control */
  async kept({ req, res, head, api }: Exchange, kept: Kept, cache: string): Promise<void> {
    const known = matches(req.headers['if-none-match'], kept.etag);
    const wanted = !known && kept.compressible && takesGzip(req.headers['accept-encoding']);
    const compressed = wanted ? await kept.compressed() : undefined;
    const bytes = compressed ?? kept.bytes;
    this.#write(res, known ? 304 : 200, {
      ...(api ? this.#headers.api : this.#headers.page),
      'Cache-Control': cache,
      ETag: kept.etag,
      ...(kept.compressible ? { Vary: 'Accept-Encoding' } : {}),
      ...(known
        ? {}
        : {
            'Content-Type': kept.type,
            'Content-Length': String(bytes.length),
            ...(compressed ? { 'Content-Encoding': 'gzip' } : {}),
          }),
    });
    res.end(head || known ? undefined : bytes);
  }

  /** @param page what people are shown; undefined: a plain one of its own */
  problem({ res, head, api }: Exchange, problem: Problem, page?: string): void {
    const { status, code, message, headers } = problem;
    const body = api
      ? JSON.stringify({ error: { code, message } })
      : (page ?? plainPage(status, message));
    const bytes = Buffer.from(body);
    this.#write(res, status, {
      ...(api ? this.#headers.api : this.#headers.page),
      'Cache-Control': 'no-store',
      'Content-Type': api ? 'application/json; charset=utf-8' : 'text/html; charset=utf-8',
      'Content-Length': String(bytes.length),
      ...headers,
    });
    res.end(head ? undefined : bytes);
  }

  /** An answer without a body. */
  empty({ res, api }: Exchange, headers: Headers): void {
    this.#write(res, 204, { ...(api ? this.#headers.api : this.#headers.page), ...headers });
    res.end();
  }

  options(exchange: Exchange): void {
    this.empty(exchange, { Allow: METHODS, ...(exchange.api ? PREFLIGHT : {}) });
  }

  /** The beginning of an answer whose length is not known. */
  begin({ res, api }: Exchange, headers: Headers): void {
    this.#write(res, 200, { ...(api ? this.#headers.api : this.#headers.page), ...headers });
  }

  /** A whole answer as bytes, for a connection whose bytes are no request. */
  raw(status: number, reason: string, message: string, headers: Headers = {}): string {
    this.#count(status);
    const body = `${message}\n`;
    const all: Headers = {
      ...this.#headers.page,
      'Cache-Control': 'no-store',
      'Content-Type': 'text/plain; charset=utf-8',
      'Content-Length': String(Buffer.byteLength(body)),
      ...headers,
      Connection: 'close',
    };
    const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
    return `HTTP/1.1 ${status} ${reason}\r\n${lines.join('')}\r\n${body}`;
  }

  #write(res: ServerResponse, status: number, headers: Headers): void {
    this.#count(status);
    res.writeHead(status, headers);
  }

  #count(status: number): void {
    if (status === 304) this.#counters.unchanged++;
    else if (status < 300) this.#counters.answered++;
    else if (status === 429) this.#counters.limited++;
    else if (status < 500) this.#counters.refused++;
    else this.#counters.failed++;
  }
}

/** RFC 9110, 13.1.2: a list, or a star; compared weakly. */
function matches(header: string | undefined, etag: string): boolean {
  if (header === undefined) return false;
  if (header.trim() === '*') return true;
  const opaque = etag.replace(/^W\//, '');
  return header.split(',').some((each) => each.trim().replace(/^W\//, '') === opaque);
}

/** RFC 9110, 12.5.3. */
function takesGzip(header: string | undefined): boolean {
  if (header === undefined) return false;
  const weights = new Map<string, number>();
  for (const each of header.toLowerCase().split(',')) {
    const [coding = '', ...parameters] = each.split(';').map((part) => part.trim());
    const weight = parameters.find((parameter) => parameter.startsWith('q='));
    weights.set(coding, weight === undefined ? 1 : Number(weight.slice(2)));
  }
  return (weights.get('gzip') ?? weights.get('*') ?? 0) > 0;
}

/** The words are ours: they hold nothing of the request but what is escaped here. */
function plainPage(status: number, message: string): string {
  const text = message.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
  return (
    '<!doctype html><html lang="en"><meta charset="utf-8">' +
    '<meta name="viewport" content="width=device-width">' +
    `<title>${status}</title><h1>${status}</h1><p>${text}</p><p><a href="/">To the board</a></p>`
  );
}
