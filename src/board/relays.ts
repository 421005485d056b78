/** What the board knows of the relays: whether they are there, and what their beacons say. */
import type { Beacon, BeaconPart } from '../beacon/beacon.js';
import { BeaconWatch } from '../beacon/watch.js';
import type { LinkState, RelayView, SilentSource } from '../sensor/view.js';

/** A lower server of which nothing has come for so long is silent, s: a relay tries again by then. */
const SOURCE_SILENCE = 60;
/** A clock that differs by more than this, ms, says nothing of silence. */
const MAX_SKEW = 3_600_000;
/** Silent sources that are named, of each relay. */
const MAX_SILENT = 64;
/** One that was never heard is silent since then: 2000-01-01. */
const EARLIEST = Date.UTC(2000, 0, 1);
/** Relays that are watched: users of the configuration. */
const MAX_RELAYS = 64;

class Relay {
  state: LinkState = 'away';
  since: number;
  heard = 0;
  readonly watch = new BeaconWatch();
  silent: readonly SilentSource[] = [];
  connected = false;

  constructor(now: number) {
    this.since = now;
  }

  /** Whether its state has changed. */
  turn(state: LinkState, since: number): boolean {
    if (state === this.state) return false;
    this.state = state;
    this.since = since;
    return true;
  }
}

/** From bad to good: of several relays the worst is shown. */
const ORDER: readonly LinkState[] = ['away', 'silent', 'live', 'never'];

export class Relays {
  readonly #silence: number;
  readonly #started: number;
  readonly #relays = new Map<string, Relay>();
  #view: RelayView | undefined;

  /** @param silence ms */
  constructor(silence: number, now: number) {
    this.#silence = silence;
    this.#started = now;
  }

  get view(): RelayView {
    this.#view ??= this.#look();
    return this.#view;
  }

  /** @returns whether what is shown has changed; so do the others */
  link(name: string, connected: boolean, now: number): boolean {
    const relay = this.#relay(name, now);
    relay.connected = connected;
    // Nothing has come yet: it is live until it is found silent.
    if (connected) relay.heard = now;
    return this.#changed(relay.turn(connected ? 'live' : 'away', now));
  }

  heard(name: string, now: number): boolean {
    const relay = this.#relay(name, now);
    relay.heard = now;
    return this.#changed(relay.connected && relay.turn('live', now));
  }

  tick(now: number): boolean {
    let changed = false;
    for (const relay of this.#relays.values()) {
      const silent = relay.connected && now - relay.heard > this.#silence;
      if (silent) changed = relay.turn('silent', relay.heard) || changed;
    }
    return this.#changed(changed);
  }

  /** An event came that is no beacon, for the first time. */
  take(name: string): void {
    this.#relays.get(name)?.watch.take();
  }

  note(name: string, part: BeaconPart, now: number): boolean {
    const relay = this.#relay(name, now);
    const account = relay.watch.note(part);
    if (account) relay.silent = silentOf(account.beacon, now);
    return this.#changed(account !== undefined);
  }

  #relay(name: string, now: number): Relay {
    let relay = this.#relays.get(name);
    if (!relay) {
      relay = new Relay(now);
      if (this.#relays.size < MAX_RELAYS) this.#relays.set(name, relay);
    }
    return relay;
  }

  #changed(changed: boolean): boolean {
    if (changed) this.#view = undefined;
    return changed;
  }

  #look(): RelayView {
    const relays = [...this.#relays.values()];
    const [worst] = relays.toSorted((a, b) => ORDER.indexOf(a.state) - ORDER.indexOf(b.state));
    const accounts = relays.flatMap(({ watch }) => watch.account ?? []);
    return {
      state: worst?.state ?? 'never',
      since: worst?.since ?? this.#started,
      name: [...new Set(accounts.map(({ beacon }) => beacon.relay))].join(', '),
      beacon: Math.max(0, ...accounts.map(({ beacon }) => beacon.time)),
      expected: accounts.reduce((sum, { expected }) => sum + expected, 0),
      missing: accounts.reduce((sum, { missing }) => sum + missing, 0),
      silent: relays.flatMap(({ silent }) => silent),
    };
  }
}

function silentOf({ time, sources }: Beacon, now: number): SilentSource[] {
  const at = Math.abs(now - time) < MAX_SKEW ? time : now;
  return sources
    .filter(({ silence }) => silence >= SOURCE_SILENCE)
    .slice(0, MAX_SILENT)
    .map(({ number, silence }) => ({
      name: `Source ${number + 1}`,
      since: Math.max(EARLIEST, at - silence * 1000),
    }));
}
