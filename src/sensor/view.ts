/** What a board shows: the shapes that its core, its history, its pages and its API share. */

/** In percent of the plan: x from the left, y from the top. */
export interface Position {
  readonly x: number;
  readonly y: number;
}

export interface Zone {
  readonly id: string;
  readonly name: string;
  readonly position?: Position;
}

/** What is known of a sensor without any reading of it. */
export interface Sensor {
  /** `class.type.guid.index`, and `.zone.subzone` where the class has them: safe in a URL. */
  readonly id: string;
  readonly name: string;
  /** Empty if it is not known. */
  readonly place: string;
  /** Id of its zone; empty: in none. */
  readonly zone: string;
  /** What it measures, for people: `Temperature`. */
  readonly quantity: string;
  /** Symbol of the unit that its values are shown in: `°C`; empty if there is none. */
  readonly unit: string;
  /** Digits behind the point that are shown. */
  readonly decimals: number;
  readonly position?: Position;
  readonly vscpClass: number;
  readonly type: number;
  /** 32 hexadecimal digits. */
  readonly guid: string;
}

export interface Reading {
  readonly sensor: string;
  /** ms since 1970. */
  readonly time: number;
  /** In the unit of the sensor. */
  readonly value: number;
}

/** A sensor as it is shown now. */
export interface SensorState extends Sensor {
  readonly value: number;
  /** Of the newest reading, ms since 1970. */
  readonly time: number;
  /** The last values, oldest first; the newest is the last. */
  readonly spark: readonly number[];
  /** Of the view, when it changed last. */
  readonly revision: number;
}

export type AlarmLevel = 'warning' | 'alarm';

export interface Alarm {
  /** Grows; an alarm that repeats keeps its own. */
  readonly id: number;
  readonly level: AlarmLevel;
  /** What happened, for people: `Alarm`, `Fire alarm, hall`. */
  readonly name: string;
  readonly place: string;
  readonly zone: string;
  /** When it came first and last, ms since 1970. */
  readonly since: number;
  readonly time: number;
  /** How many times it came. */
  readonly count: number;
}

/**
 * - `never`: no relay has been here since the board began.
 * - `live`: events or beacons come.
 * - `silent`: it is connected, and nothing comes.
 * - `away`: it is not connected.
 */
export type LinkState = 'never' | 'live' | 'silent' | 'away';

/** A lower server of which a beacon says that it is silent. */
export interface SilentSource {
  readonly name: string;
  /** ms since 1970. */
  readonly since: number;
}

export interface RelayView {
  readonly state: LinkState;
  /** Of that state, ms since 1970. */
  readonly since: number;
  /** By its newest beacon: the relay's name; empty: there is none. */
  readonly name: string;
  /** Time of the newest beacon, ms since 1970; 0: there is none. */
  readonly beacon: number;
  /** By beacons: events that should have come, and that never did. */
  readonly expected: number;
  readonly missing: number;
  readonly silent: readonly SilentSource[];
}

export interface BoardCounters {
  /** Events that relays sent: `events = readings + alarms + beacons + other + duplicates`. */
  readonly events: number;
  readonly readings: number;
  readonly alarms: number;
  readonly beacons: number;
  /** Not shown; kept as events, but for what the names file hides. */
  readonly other: number;
  readonly duplicates: number;
  /** SENDs that were refused as malformed. */
  readonly malformed: number;
  /** Readings of sensors beyond the most that are shown; they count as `other`. */
  readonly unshown: number;
  /** Beacons that no key of their relay has signed; they count as `other`. */
  readonly unverified: number;
}

/** What may be shown to anybody: the core of the board, as pages and API see it. */
export interface BoardView {
  readonly title: string;
  /** Another one when what sensors are called, where they are or what is shown has changed. */
  readonly edition: string;
  /** When the board began, ms since 1970. */
  readonly started: number;
  readonly zones: readonly Zone[];
  /** Grows with every change of what is shown. */
  readonly revision: number;
  /** In the order in which they are shown. */
  sensors(): readonly SensorState[];
  sensor(id: string): SensorState | undefined;
  /** Warnings behind alarms, the newest of each first. */
  alarms(): readonly Alarm[];
  relay(): RelayView;
  counters(): BoardCounters;
}

export type Resolution = 'raw' | 'hour' | 'day';

/** Values of one sensor over time, oldest first. */
export interface Series {
  readonly sensor: string;
  readonly resolution: Resolution;
  /**
   * Time (ms since 1970: of a reading, or of the beginning of an hour or day in UTC), mean, least and
   * greatest value; of a reading all three are the same.
   */
  readonly points: readonly (readonly [time: number, mean: number, min: number, max: number])[];
}

/** An event as it came, for programs. */
export interface KeptEvent {
  /** Grows by one. */
  readonly id: number;
  /** When it came, ms since 1970. */
  readonly received: number;
  /** The event's line in its canonical text form. */
  readonly event: string;
  /** Of a reading: the sensor and the value, in its unit. */
  readonly sensor?: string;
  readonly value?: number;
}

export interface EventPage {
  readonly events: readonly KeptEvent[];
  /** `since` of the next page. */
  readonly next: number;
  /** Whether events between `since` and the first one here are gone already. */
  readonly gap: boolean;
}

/** What became of events that were to be kept: `added = kept + dropped + waiting`. */
export interface HistoryCounters {
  readonly added: number;
  readonly kept: number;
  /** Not kept: the disk is full, or does not answer. */
  readonly dropped: number;
  /** Not yet written. */
  readonly waiting: number;
  /** Of those that are kept: new readings. */
  readonly readings: number;
  /** Of those that are kept: readings of a sensor and a time that were there already. */
  readonly duplicates: number;
  /** Of those that are kept: readings older than anything that is kept of a sensor. */
  readonly late: number;
  /** Of those that are kept: readings without a time or value, or of a sensor beyond the most. */
  readonly refused: number;
  /** Times that the thread that writes ended by itself, and was started anew. */
  readonly restarts: number;
  readonly questions: number;
  /** Of them, refused because too many were waiting, and not answered in time. */
  readonly busy: number;
  readonly slow: number;
}

/** What has been kept. All of it may reject: a disk that is full or gone, or too much is asked at once. */
export interface HistoryReader {
  readonly counters: HistoryCounters;
  /**
   * @param from ms since 1970
   * @param most points at most: the finest resolution whose points fit, and raw ones are thinned to fit
   * @param resolution asked for; undefined: the one that fits
   */
  series(
    sensor: string,
    from: number,
    to: number,
    most: number,
    resolution?: Resolution,
  ): Promise<Series>;
  /** Raw readings from `from` on, oldest first, at most `limit`: the next call begins behind the last. */
  readings(sensor: string, from: number, to: number, limit: number): Promise<readonly Reading[]>;
  /** @param since id of the last one that is known; 0: from the oldest */
  events(since: number, limit: number): Promise<EventPage>;
}
