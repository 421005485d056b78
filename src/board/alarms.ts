/** Alarms as they are shown: what came, how often, until it is taken back or too old. */
import { namingOf, type Names } from '../sensor/names.js';
import type { Origin } from '../sensor/reading.js';
import type { Alarm, AlarmLevel } from '../sensor/view.js';
import { nodeWords, quantityOf } from '../sensor/words.js';

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

interface Place {
  readonly guid: string;
  readonly zone: number;
  readonly subzone: number;
}

interface Raised extends Place {
  readonly alarm: Alarm;
  /** What its age counts from, by a clock that is never set. */
  readonly from: number;
}

export class Alarms {
  #names: Names;
  readonly #age: number;
  readonly #raised = new Map<string, Raised>();
  #list: readonly Alarm[] | undefined;
  #last: number;
  #changed = false;

  /**
   * @param age ms
   * @param started ms since 1970: where ids begin, so that an open page has none of the next board's
   */
  constructor(names: Names, age: number, started: number) {
    this.#names = names;
    this.#age = age;
    this.#last = started;
  }

  /** Those to come have other names; what stands was said already. */
  rename(names: Names): void {
    this.#names = names;
  }

  /** Warnings behind alarms, the newest of each first. */
  get list(): readonly Alarm[] {
    this.#list ??= [...this.#raised.values()]
      .map(({ alarm }) => alarm)
      .sort((a, b) => rankOf(a) - rankOf(b) || b.time - a.time || b.id - a.id);
    return this.#list;
  }

  /** What stands, for a board that starts; undefined: as it was when it was asked last. */
  save(): string | undefined {
    if (!this.#changed) return undefined;
    this.#changed = false;
    const entries = [...this.#raised].map(([key, raised]) => [key, { ...raised, from: undefined }]);
    return JSON.stringify(entries);
  }

  /**
   * Takes over what `save` has given; anything else is passed over.
   *
   * @param steady ms since 1970, by a clock that is never set
   */
  restore(text: string, steady: number): void {
    let entries: unknown;
    try {
      entries = JSON.parse(text);
    } catch {
      return;
    }
    for (const entry of Array.isArray(entries) ? entries.slice(0, MOST) : []) {
      if (!isEntry(entry)) continue;
      const [key, raised] = entry;
      this.#raised.set(key, { ...raised, from: Math.min(raised.alarm.time, steady) });
      this.#last = Math.max(this.#last, raised.alarm.id);
    }
    this.#list = undefined;
  }

  /**
   * @param time of the event
   * @param now ms since 1970
   * @param steady the same, by a clock that is never set
   * @returns whether the event is one that raises or takes back an alarm
   */
  take(origin: Origin, time: number, now: number, steady: number): boolean {
    const { vscpClass, type, guid, zone, subzone } = origin;
    if (vscpClass !== ALARM) return false;
    if (RAISING.has(type)) this.#raise(origin, time, now, steady);
    else if (CLEARING.has(type)) this.#clear({ guid, zone, subzone });
    else return false;
    this.#list = undefined;
    this.#changed = true;
    return true;
  }

  /** @returns whether some are gone */
  expire(steady: number): boolean {
    let gone = false;
    for (const [key, { from }] of this.#raised) {
      if (steady - from > this.#age) gone = this.#raised.delete(key);
    }
    if (gone) this.#list = undefined;
    this.#changed ||= gone;
    return gone;
  }

  #raise(origin: Origin, time: number, now: number, steady: number): void {
    const { type, guid, zone, subzone } = origin;
    const key = `${type} ${guid} ${zone} ${subzone}`;
    // What has waited somewhere is as old as it says, if both clocks say so.
    const age = Math.max(0, Math.min(now, steady) - time);
    const raised = { guid, zone, subzone, from: steady - age };
    const before = this.#raised.get(key);
    if (before) {
      const count = before.alarm.count + 1;
      // Of a clock that was ahead: it came before what comes now.
      const last = before.alarm.time > now ? time : Math.max(time, before.alarm.time);
      const from = Math.max(raised.from, before.from);
      this.#raised.set(key, { ...raised, from, alarm: { ...before.alarm, time: last, count } });
      return;
    }
    const [naming] = namingOf(this.#names, origin);
    const known = this.#names.zones.find(({ id }) => id === naming?.zone);
    const level: AlarmLevel = type === WARNING ? 'warning' : 'alarm';
    const alarm: Alarm = {
      id: ++this.#last,
      level,
      name: naming?.name ?? quantityOf(ALARM, type),
      place: naming?.place ?? known?.name ?? placeOf(origin, naming?.name !== undefined),
      zone: naming?.zone ?? '',
      since: time,
      time,
      count: 1,
    };
    if (this.#raised.size >= MOST && !this.#dropLast(level)) return;
    this.#raised.set(key, { ...raised, alarm });
  }

  #clear({ guid, zone, subzone }: Place): void {
    const covers = (asked: number, own: number): boolean =>
      asked < 0 || asked === EVERY || asked === own;
    for (const [key, raised] of this.#raised) {
      if (raised.guid !== guid) continue;
      if (covers(zone, raised.zone) && covers(subzone, raised.subzone)) this.#raised.delete(key);
    }
  }

  /** The oldest warning, or where there is none the oldest alarm. @returns false: not for a warning */
  #dropLast(level: AlarmLevel): boolean {
    const last = this.list.at(-1);
    if (level === 'warning' && last?.level === 'alarm') return false;
    for (const [key, { alarm }] of this.#raised) {
      if (alarm.id === last?.id) this.#raised.delete(key);
    }
    return true;
  }
}

function rankOf({ level }: Alarm): number {
  return level === 'alarm' ? 0 : 1;
}

/** What an event says of it itself; of several nodes without a name, which one it is. */
function placeOf({ zone, guid }: Origin, named: boolean): string {
  const words = zone < 0 ? '' : zone === EVERY ? 'All zones' : `Zone ${zone}`;
  if (named) return words;
  return words === '' ? nodeWords(guid) : `${words}, ${nodeWords(guid).toLowerCase()}`;
}

function isEntry(entry: unknown): entry is [string, Raised] {
  if (!Array.isArray(entry) || typeof entry[0] !== 'string') return false;
  const raised = entry[1] as Partial<Raised> | null | undefined;
  const alarm = raised?.alarm as Partial<Alarm> | undefined;
  const numbers = [raised?.zone, raised?.subzone, alarm?.since];
  numbers.push(alarm?.time, alarm?.count, alarm?.id);
  const texts = [raised?.guid, alarm?.name, alarm?.place, alarm?.zone];
  return (
    numbers.every((each) => Number.isSafeInteger(each)) &&
    texts.every((each) => typeof each === 'string') &&
    (alarm?.level === 'alarm' || alarm?.level === 'warning')
  );
}
