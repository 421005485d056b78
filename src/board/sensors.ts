/** The sensors that are shown, by the names file: so many, and none that it hides. */
import { namingOf, type Names } from '../sensor/names.js';
import { Origin } from '../sensor/reading.js';
import { Shown } from './shown.js';

/** Of which it is remembered whether they are hidden, so that they are looked up once. */
const MAX_LOOKED_UP = 65_536;
/** ms of silence after which a sensor without a name gives way to another, when there are too many. */
const OLD = 86_400_000;
/** ms between two looks for one. */
const LOOK_AGAIN = 60_000;

export class Sensors {
  names: Names;
  readonly #most: number;
  readonly #origin = new Origin();
  readonly #shown = new Map<string, Shown>();
  #sorted: readonly Shown[] | undefined;
  #unnamed = 0;
  /** When none of them was old enough to give way. */
  #noneOld = -Infinity;
  readonly #hidden = new Map<string, boolean>();

  /** @param most that are shown: a stream of invented GUIDs must not grow the board */
  constructor(names: Names, most: number) {
    this.names = names;
    this.#most = most;
  }

  get(id: string): Shown | undefined {
    return this.#shown.get(id);
  }

  /** In the order of the names file; those without a name by what they are. */
  get list(): readonly Shown[] {
    this.#sorted ??= [...this.#shown.values()].sort(
      (a, b) =>
        a.entry - b.entry ||
        compare(a.zone, b.zone) ||
        compare(a.quantity, b.quantity) ||
        compare(a.place, b.place) ||
        compare(a.id, b.id),
    );
    return this.#sorted;
  }

  /** What these names hide is gone; what they have another unit for is gone until its next reading. */
  rename(names: Names, revision: number, now: number): void {
    const before = [...this.#shown.values()];
    this.names = names;
    this.#hidden.clear();
    this.#shown.clear();
    this.#unnamed = 0;
    this.#sorted = undefined;
    for (const sensor of before) {
      const shown = this.assume(sensor.id, sensor.shown?.name ?? '');
      if (!shown || !this.admit(shown, now)) continue;
      shown.adopt(sensor);
      shown.revision = revision;
    }
  }

  /** A sensor without any reading; undefined: there is none, it is hidden, or shown in another unit. */
  assume(id: string, unit: string): Shown | undefined {
    const origin = this.#origin;
    if (!origin.assume(id, unit) || this.isHidden(origin)) return undefined;
    const shown = new Shown(origin, this.names);
    return (shown.shown?.name ?? '') === unit ? shown : undefined;
  }

  /** Whether the names file keeps it from the public, as a sensor and as an event. */
  isHidden(origin: Origin): boolean {
    const { id } = origin;
    const known = this.#hidden.get(id);
    if (known !== undefined) return known;
    const [naming] = namingOf(this.names, origin);
    const hidden = naming ? naming.hide : !this.names.showOthers;
    if (this.#hidden.size < MAX_LOOKED_UP) this.#hidden.set(id, hidden);
    return hidden;
  }

  /** @returns whether there is room for it */
  admit(shown: Shown, now: number): boolean {
    if (this.#shown.size >= this.#most && !this.#makeRoom(shown.named, now)) return false;
    this.#shown.set(shown.id, shown);
    if (!shown.named) this.#unnamed++;
    this.#sorted = undefined;
    return true;
  }

  /** The one that was silent longest and has no name gives way to a named one, or when it is old. */
  #makeRoom(named: boolean, now: number): boolean {
    if (this.#unnamed === 0 || (!named && Math.abs(now - this.#noneOld) < LOOK_AGAIN)) return false;
    let oldest: Shown | undefined;
    for (const each of this.#shown.values()) {
      if (!each.named && each.time < (oldest?.time ?? Infinity)) oldest = each;
    }
    if (!oldest) return false;
    if (!named && now - oldest.time < OLD) {
      this.#noneOld = now;
      return false;
    }
    this.#shown.delete(oldest.id);
    this.#unnamed--;
    return true;
  }
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
