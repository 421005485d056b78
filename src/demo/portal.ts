/** An embedded upper VSCP server: takes SEND over TLS 1.3 from clients with a certificate. */
import type { AddressInfo } from 'node:net';
import { createServer, type Server, type TLSSocket } from 'node:tls';
import { BEACON_CLASS, BEACON_TYPE, decodeBeacon } from '../beacon/beacon.js';
import { BeaconWatch } from '../beacon/watch.js';
import { parseEvent, type VscpEvent } from '../event/event.js';

/** The last events whose identity is remembered, to tell duplicates. */
const REMEMBERED = 1_000_000;

export interface PortalOptions {
  readonly user: string;
  readonly password: string;
  /** PEM. */
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
}

export class Portal {
  /** Events taken, each once. */
  delivered = 0;
  duplicates = 0;
  /** What the relay says of itself, and of what came. */
  readonly watch = new BeaconWatch();
  /** Lines that were no SEND of an event, once logged in. */
  refused = 0;
  /** The last event's line. */
  last = '';
  /** What TLS agreed on: version and cipher. */
  protocol = '';
  readonly #options: PortalOptions;
  readonly #server: Server;
  readonly #sockets = new Set<TLSSocket>();
  #seen = new Set<string>();
  #seenBefore = new Set<string>();
  /** Whether an event is one of this run. */
  readonly #counts: (line: string) => boolean;

  constructor(options: PortalOptions, counts: (line: string) => boolean = () => true) {
    this.#options = options;
    this.#counts = counts;
    this.#server = createServer(
      {
        ca: options.ca,
        cert: options.cert,
        key: options.key,
        requestCert: true,
        rejectUnauthorized: true,
        minVersion: 'TLSv1.3',
      },
      (socket) => this.#serve(socket),
    );
    this.#server.on('tlsClientError', () => undefined);
  }

  /** Listens on a free port of the loopback; returns it. */
  async listen(): Promise<number> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    return (this.#server.address() as AddressInfo).port;
  }

  close(): void {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
  }

  #serve(socket: TLSSocket): void {
    let rest = '';
    let user = '';
    let known = false;
    this.#sockets.add(socket);
    this.protocol = `${socket.getProtocol() ?? ''} ${socket.getCipher().name}`;
    socket.on('error', () => socket.destroy());
    socket.on('close', () => this.#sockets.delete(socket));
    socket.write('tidegate demo portal\r\n+OK - Success.\r\n');
    socket.on('data', (chunk: Buffer) => {
      const lines = (rest + chunk.toString('latin1')).split('\r\n');
      rest = lines.pop()!.slice(0, 8192);
      let answers = '';
      for (const line of lines) {
        const [verb, argument = ''] = line.split(/ (.*)/s);
        if (verb === 'SEND') answers += known && this.#take(argument) ? '+OK\r\n' : '-OK\r\n';
        else if (verb === 'PASS') {
          known = user === this.#options.user && argument === this.#options.password;
          answers += known ? '+OK\r\n' : '-OK - Invalid username or password.\r\n';
        } else {
          if (verb === 'USER') user = argument;
          answers += '+OK\r\n';
        }
      }
      socket.write(answers);
    });
  }

  #take(line: string): boolean {
    let event: VscpEvent;
    try {
      event = parseEvent(line);
    } catch {
      this.refused++;
      return false;
    }
    const { vscpClass, type, data } = event;
    const own = vscpClass === BEACON_CLASS && type === BEACON_TYPE;
    const beacon = own ? decodeBeacon(data) : undefined;
    if (beacon) this.watch.note(beacon);
    if (own) return true;
    const counts = this.#counts(line);
    if (this.#seen.has(line) || this.#seenBefore.has(line)) {
      this.duplicates += Number(counts);
      return true;
    }
    if (this.#seen.size >= REMEMBERED / 2) [this.#seenBefore, this.#seen] = [this.#seen, new Set()];
    this.#seen.add(line);
    this.watch.take();
    if (!counts) return true;
    this.delivered++;
    this.last = line;
    return true;
  }
}
