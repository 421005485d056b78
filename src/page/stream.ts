/** The board's stream: a connection that breaks is said, and tried again after growing pauses. */
import type { Alarm, RelayView, SensorState } from '../sensor/view.js';
import { followClock } from './times.js';
import { alarmOf, relayOf, sensorOf } from './wire.js';
import type { AlarmWire, RelayWire, SensorWire } from './wire.js';

/** ms. */
const FIRST_PAUSE = 1000;
const LONGEST_PAUSE = 60_000;
/** An answer of the API may be a second old: what changed just before the stream began. */
const ONCE_MORE = 3000;
/** A stream that is quiet for so long may hang: signs of life are comments, which a page cannot see. */
const QUIET = 45_000;

export interface StreamHandlers {
  sensors(changed: readonly SensorState[]): void;
  alarms(alarms: readonly Alarm[]): void;
  relay(relay: RelayView): void;
  /** Another one than the page's: what the server's HTML says is old. */
  edition(edition: string): void;
  /** Once it is open: all that may have been missed. It rejects if the board does not answer. */
  refresh(): Promise<void>;
  /** It goes on. */
  live(): void;
  /** By the browser's clock, ms since 1970. */
  lost(since: number, nextTry: number): void;
}

export class Stream {
  readonly #handlers: StreamHandlers;
  #source: EventSource | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** Since when it has been broken. */
  #lost: number | undefined;
  #failures = 0;
  #heard = 0;
  #checking = false;

  constructor(handlers: StreamHandlers) {
    this.#handlers = handlers;
    addEventListener('online', () => this.#hurry());
    addEventListener('pagehide', () => this.#stop());
    addEventListener('pageshow', ({ persisted }) => persisted && this.#connect());
    document.addEventListener('visibilitychange', () => {
      if (!document.hidden) this.#hurry();
    });
    setInterval(() => void this.#check(), QUIET / 3);
    this.#connect();
  }

  /** Now, whatever the pause. */
  retry(): void {
    if (this.#lost !== undefined) this.#connect();
  }

  /** Only one that waits for its next try. */
  #hurry(): void {
    if (this.#timer !== undefined) this.#connect();
  }

  #stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#source?.close();
    this.#source = undefined;
  }

  #connect(): void {
    this.#stop();
    const source = new EventSource('/api/v1/stream');
    this.#source = source;
    this.#heard = Date.now();
    source.addEventListener('open', () => void this.#opened(source));
    source.addEventListener('error', () => this.#failed(source));
    this.#on(source, 'sensors', (said) => {
      const { time, sensors } = said as { time: string; sensors: readonly SensorWire[] };
      followClock(Date.parse(time));
      this.#handlers.sensors(sensors.map(sensorOf));
    });
    this.#on(source, 'alarms', (said) => {
      const { alarms } = said as { alarms: readonly AlarmWire[] };
      this.#handlers.alarms(alarms.map(alarmOf));
    });
    this.#on(source, 'edition', (said) => {
      this.#handlers.edition((said as { edition: string }).edition);
    });
    this.#on(source, 'relay', (said) => this.#handlers.relay(relayOf(said as RelayWire)));
  }

  #on(source: EventSource, type: string, handle: (said: unknown) => void): void {
    source.addEventListener(type, ({ data }: MessageEvent<string>) => {
      this.#heard = Date.now();
      handle(JSON.parse(data));
    });
  }

  async #opened(source: EventSource): Promise<void> {
    try {
      await this.#handlers.refresh();
    } catch {
      this.#failed(source);
      return;
    }
    if (source !== this.#source) return;
    this.#failures = 0;
    this.#lost = undefined;
    this.#handlers.live();
    setTimeout(() => {
      if (source === this.#source) this.#handlers.refresh().catch(() => this.#failed(source));
    }, ONCE_MORE);
  }

  #failed(source: EventSource): void {
    if (source !== this.#source) return;
    this.#stop();
    this.#lost ??= Date.now();
    // Many pages lose a board at once; they shall not all come back at once.
    const spread = 0.75 + Math.random() / 2;
    const pause = Math.min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** this.#failures++) * spread;
    this.#timer = setTimeout(() => this.#connect(), pause);
    this.#handlers.lost(this.#lost, Date.now() + pause);
  }

  async #check(): Promise<void> {
    const source = this.#source;
    if (!source || this.#checking || Date.now() - this.#heard < QUIET) return;
    this.#checking = true;
    try {
      await this.#handlers.refresh();
      this.#heard = Date.now();
    } catch {
      this.#failed(source);
    } finally {
      this.#checking = false;
    }
  }
}
