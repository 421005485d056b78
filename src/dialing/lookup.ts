/**
 * Addresses of a name, one lookup at a time: getaddrinfo(3) cannot be given up, and each one that
 * hangs holds a thread of the few that there are. A try that comes meanwhile takes what it brings.
 */
import { lookup, type LookupAddress, type LookupAllOptions } from 'node:dns';
import type { LookupFunction } from 'node:net';

type Found = (error: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => void;

/** As dns.lookup, when asked for all addresses. */
export type Ask = (name: string, options: LookupAllOptions, found: Found) => void;

export class Lookup {
  readonly #ask: Ask;
  #pending = false;
  /** Of the latest try: whoever asked before has given up. */
  #found: Found | undefined;

  constructor(ask: Ask = lookup) {
    this.#ask = ask;
  }

  /** Whether the name service has not answered yet. */
  get pending(): boolean {
    return this.#pending;
  }

  /** For net.connect(); always of the same name. */
  readonly find: LookupFunction = (name, { all = false, hints }, done) => {
    this.#found = (error, addresses) => {
      const [first] = addresses;
      if (error || all || !first) done(error, addresses);
      else done(null, first.address, first.family);
    };
    if (this.#pending) return;
    this.#pending = true;
    this.#ask(
      name,
      { all: true, ...(hints === undefined ? {} : { hints }) },
      (error, addresses) => {
        this.#pending = false;
        const found = this.#found;
        this.#found = undefined;
        // On an error Node passes no addresses, whatever its types say.
        found?.(error, error ? [] : addresses);
      },
    );
  };
}
