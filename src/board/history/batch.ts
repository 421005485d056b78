/** Events on their way to the thread that writes: their numbers in one block, which is cheap to copy. */
import type { Reading } from '../../sensor/view.js';

/** An event, as it is kept. */
export interface AddedEvent {
  /** ms since 1970. */
  readonly received: number;
  /** The event's line in its canonical text form. */
  readonly event: string;
  readonly reading?: Reading;
}

/** Of an event in `Batch.numbers`: where each number is, and how many there are. */
export const NUMBER = { received: 0, sensor: 1, time: 2, value: 3, count: 4 } as const;

/** Instead of a sensor's index: the event is no reading. */
export const NO_READING = -1;

export interface Batch {
  /** See `NUMBER`; a sensor by its index in `sensors`. */
  readonly numbers: Float64Array<ArrayBuffer>;
  readonly texts: readonly string[];
  readonly sensors: readonly string[];
  /** Of texts, UTF-16 units. */
  readonly length: number;
}

/** Gathers a batch. */
export class Gathering {
  #numbers: number[] = [];
  #texts: string[] = [];
  #sensors = new Map<string, number>();
  #length = 0;

  get events(): number {
    return this.#texts.length;
  }

  get length(): number {
    return this.#length;
  }

  add({ received, event, reading }: AddedEvent): void {
    this.#texts.push(event);
    this.#length += event.length;
    if (reading) {
      const sensor = this.#indexOf(reading.sensor);
      this.#numbers.push(received, sensor, reading.time, reading.value);
    } else this.#numbers.push(received, NO_READING, 0, 0);
  }

  /** What has been gathered; the next one begins. */
  take(): Batch {
    const batch = {
      numbers: Float64Array.from(this.#numbers),
      texts: this.#texts,
      sensors: [...this.#sensors.keys()],
      length: this.#length,
    };
    this.#numbers = [];
    this.#texts = [];
    this.#sensors = new Map();
    this.#length = 0;
    return batch;
  }

  #indexOf(sensor: string): number {
    const known = this.#sensors.get(sensor);
    if (known !== undefined) return known;
    this.#sensors.set(sensor, this.#sensors.size);
    return this.#sensors.size - 1;
  }
}
