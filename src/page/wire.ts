/** What the API and the stream say: the shapes of view.ts, with times as ISO 8601. */
import type { Alarm, RelayView, Resolution, SensorState, Series, Zone } from '../sensor/view.js';
import { urlPart } from './words.js';

/** ms. */
const PATIENCE = 15_000;

type Time = string | null;

export type SensorWire = Omit<SensorState, 'time'> & { readonly time: Time };
export type AlarmWire = Omit<Alarm, 'since' | 'time'> & {
  readonly since: Time;
  readonly time: Time;
};
export type RelayWire = Omit<RelayView, 'since' | 'beacon' | 'silent'> & {
  readonly since: Time;
  readonly beacon: Time;
  readonly silent: readonly { readonly name: string; readonly since: Time }[];
};

export interface SensorsWire {
  readonly title: string;
  readonly zones: readonly Zone[];
  readonly sensors: readonly SensorWire[];
}

function ms(time: Time): number {
  return time === null ? 0 : Date.parse(time);
}

export function sensorOf(wire: SensorWire): SensorState {
  return { ...wire, time: ms(wire.time) };
}

export function alarmOf(wire: AlarmWire): Alarm {
  return { ...wire, since: ms(wire.since), time: ms(wire.time) };
}

export function relayOf(wire: RelayWire): RelayView {
  const silent = wire.silent.map(({ name, since }) => ({ name, since: ms(since) }));
  return { ...wire, since: ms(wire.since), beacon: ms(wire.beacon), silent };
}

/** @throws if there is no answer, or another than 200 */
async function get(path: string, signal?: AbortSignal): Promise<unknown> {
  const timeout = AbortSignal.timeout(PATIENCE);
  const answer = await fetch(path, { signal: signal ? anyOf(signal, timeout) : timeout });
  if (!answer.ok) throw new Error(`${path}: ${answer.status}`);
  return answer.json();
}

/** AbortSignal.any is younger than the browsers that the page is for. */
function anyOf(...signals: readonly AbortSignal[]): AbortSignal {
  const either = new AbortController();
  for (const signal of signals) {
    if (signal.aborted) either.abort(signal.reason);
    signal.addEventListener('abort', () => either.abort(signal.reason), { once: true });
  }
  return either.signal;
}

export async function getSensors(): Promise<{
  zones: readonly Zone[];
  sensors: readonly SensorState[];
}> {
  const { zones, sensors } = (await get('/api/v1/sensors')) as SensorsWire;
  return { zones, sensors: sensors.map(sensorOf) };
}

/** Undefined: it is no longer shown. */
export async function getSensor(id: string): Promise<SensorState | undefined> {
  const path = `/api/v1/sensors/${urlPart(id)}`;
  const answer = await fetch(path, { signal: AbortSignal.timeout(PATIENCE) });
  if (answer.status === 404) return undefined;
  if (!answer.ok) throw new Error(`${path}: ${answer.status}`);
  return sensorOf((await answer.json()) as SensorWire);
}

export async function getAlarms(): Promise<readonly Alarm[]> {
  const { alarms } = (await get('/api/v1/alarms')) as { alarms: readonly AlarmWire[] };
  return alarms.map(alarmOf);
}

export async function getRelay(): Promise<RelayView> {
  const { relay } = (await get('/api/v1/status')) as { relay: RelayWire };
  return relayOf(relay);
}

/**
 * @param from ms since 1970
 * @param resolution undefined: the one that fits
 */
export async function getSeries(
  id: string,
  from: number,
  to: number,
  points: number,
  resolution: Resolution | undefined,
  signal: AbortSignal,
): Promise<Series> {
  const asked = new URLSearchParams({ from: iso(from), to: iso(to), points: String(points) });
  if (resolution) asked.set('resolution', resolution);
  return (await get(`/api/v1/sensors/${urlPart(id)}/series?${asked}`, signal)) as Series;
}

export function iso(time: number): string {
  return new Date(time).toISOString();
}
