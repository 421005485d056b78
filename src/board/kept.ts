/** The history by the ids that are shown: what is kept has the unit in its name. */
import type {
  EventPage,
  HistoryCounters,
  HistoryReader,
  Reading,
  Resolution,
  Series,
} from '../sensor/view.js';
import type { Core } from './core.js';

export class KeptHistory implements HistoryReader {
  readonly #core: Pick<Core, 'keyOf'>;
  readonly #history: HistoryReader;

  constructor(core: Pick<Core, 'keyOf'>, history: HistoryReader) {
    this.#core = core;
    this.#history = history;
  }

  get counters(): HistoryCounters {
    return this.#history.counters;
  }

  async series(
    sensor: string,
    from: number,
    to: number,
    most: number,
    resolution?: Resolution,
  ): Promise<Series> {
    const key = this.#core.keyOf(sensor);
    return { ...(await this.#history.series(key, from, to, most, resolution)), sensor };
  }

  async readings(
    sensor: string,
    from: number,
    to: number,
    limit: number,
  ): Promise<readonly Reading[]> {
    const found = await this.#history.readings(this.#core.keyOf(sensor), from, to, limit);
    return found.map((each) => ({ ...each, sensor }));
  }

  async events(since: number, limit: number): Promise<EventPage> {
    const page = await this.#history.events(since, limit);
    const events = page.events.map(({ sensor, ...event }) => {
      return sensor === undefined ? event : { ...event, sensor: sensor.split('@')[0]! };
    });
    return { ...page, events };
  }
}
