/** Alarms as they are shown: what came, how often, until it is taken back or too old. */
import { namingOf, type Names } from '../sensor/names.js';
import type { Origin } from '../sensor/reading.js';
import type { Alarm, AlarmLevel } from '../sensor/view.js';
import { quantityOf } from '../sensor/words.js';

/** VSCP specification, CLASS1.ALARM: the class, and what its types mean. */
const ALARM = 1;
const WARNING = 1;
/** Alarm, sound, light, power, emergency stop and pause, watchdog. */
const RAISING: ReadonlySet<number> = new Set([WARNING, 2, 3, 4, 5, 6, 7, 12]);
/** Emergency reset and resume, disarm, reset. */
const CLEARING: ReadonlySet<number> = new Set([8, 9, 11, 13]);
/** Of zone and subzone: all of them. */
const EVERY = 255;
const MOST = 50;

interface Raised {
  readonly guid: string;
  readonly zone: number;
  readonly subzone: number;
  alarm: Alarm;
}

export class Alarms {
  #names: Names;
  readonly #age: number;
  readonly #raised = new Map<string, Raised>();
  #list: readonly Alarm[] | undefined;
  #last = 0;
  #changed = false;

  /** @param age ms */
  constructor(names: Names, age: number) {
    this.#names = names;
    this.#age = age;
  }

  /** Those to come have other names; what stands was said already. */
  rename(names: Names): void {
    this.#names = names;
  }

  /** Newest first. */
  get list(): readonly Alarm[] {
    this.#list ??= [...this.#raised.values()]
      .map(({ alarm }) => alarm)
      .sort((a, b) => b.time - a.time || b.id - a.id);
    return this.#list;
  }

  /** What stands, for a board that starts; undefined: as it was when it was asked last. */
  save(): string | undefined {
    if (!this.#changed) return undefined;
    this.#changed = false;
    return JSON.stringify([...this.#raised]);
  }

  /** Takes over what `save` has given; anything else is passed over. */
  restore(text: string): void {
    let entries: unknown;
    try {
      entries = JSON.parse(text);
    } catch {
      return;
    }
    for (const entry of Array.isArray(entries) ? entries.slice(0, MOST) : []) {
      if (!isEntry(entry)) continue;
      const [key, raised] = entry;
      this.#raised.set(key, { ...raised, alarm: { ...raised.alarm, id: ++this.#last } });
    }
    this.#list = undefined;
  }

  /** @returns whether the event is one that raises or takes back an alarm */
  take(origin: Origin, time: number): boolean {
    const { vscpClass, type, guid, zone, subzone } = origin;
    if (vscpClass !== ALARM) return false;
    if (RAISING.has(type)) this.#raise(origin, { guid, zone, subzone }, time);
    else if (CLEARING.has(type)) this.#clear({ guid, zone, subzone });
    else return false;
    this.#list = undefined;
    this.#changed = true;
    return true;
  }

  /** @returns whether some are gone */
  expire(now: number): boolean {
    let gone = false;
    for (const [key, { alarm }] of this.#raised) {
      if (now - alarm.time > this.#age) gone = this.#raised.delete(key);
    }
    if (gone) this.#list = undefined;
    this.#changed ||= gone;
    return gone;
  }

  #raise(origin: Origin, where: Omit<Raised, 'alarm'>, time: number): void {
    const { type, guid } = origin;
    const key = `${type} ${guid} ${where.zone} ${where.subzone}`;
    const before = this.#raised.get(key)?.alarm;
    if (before) {
      const alarm = { ...before, time: Math.max(time, before.time), count: before.count + 1 };
      this.#raised.set(key, { ...where, alarm });
      return;
    }
    const [naming] = namingOf(this.#names, origin);
    const zone = this.#names.zones.find(({ id }) => id === naming?.zone);
    const level: AlarmLevel = type === WARNING ? 'warning' : 'alarm';
    const numbered = where.zone >= 0 ? `Zone ${where.zone}` : '';
    const alarm: Alarm = {
      id: ++this.#last,
      level,
      name: naming?.name ?? quantityOf(ALARM, type),
      place: naming?.place ?? zone?.name ?? numbered,
      zone: naming?.zone ?? '',
      since: time,
      time,
      count: 1,
    };
    if (this.#raised.size >= MOST) this.#dropOldest();
    this.#raised.set(key, { ...where, alarm });
  }

  #clear({ guid, zone, subzone }: Omit<Raised, 'alarm'>): void {
    const covers = (asked: number, own: number): boolean =>
      asked < 0 || asked === EVERY || asked === own;
    for (const [key, raised] of this.#raised) {
      if (raised.guid !== guid) continue;
      if (covers(zone, raised.zone) && covers(subzone, raised.subzone)) this.#raised.delete(key);
    }
  }

  #dropOldest(): void {
    const oldest = this.list.at(-1);
    for (const [key, { alarm }] of this.#raised) {
      if (alarm.id === oldest?.id) this.#raised.delete(key);
    }
  }
}

function isEntry(entry: unknown): entry is [string, Raised] {
  if (!Array.isArray(entry) || typeof entry[0] !== 'string') return false;
  const raised = entry[1] as Partial<Raised> | null | undefined;
  const alarm = raised?.alarm as Partial<Alarm> | undefined;
  const numbers = [raised?.zone, raised?.subzone, alarm?.since, alarm?.time, alarm?.count];
  const texts = [raised?.guid, alarm?.name, alarm?.place, alarm?.zone];
  return (
    numbers.every((each) => Number.isSafeInteger(each)) &&
    texts.every((each) => typeof each === 'string') &&
    (alarm?.level === 'alarm' || alarm?.level === 'warning')
  );
}
