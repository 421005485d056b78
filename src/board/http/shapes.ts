/** The shapes of the API: those of view.ts, field by field, with times as ISO 8601 in UTC. */
import type {
  Alarm,
  BoardView,
  HistoryCounters,
  KeptEvent,
  RelayView,
  SensorState,
} from '../../sensor/view.js';

const LATEST = 8.64e15;

/** Null for 0, and for what is no time. */
export function isoOf(time: number): string | null {
  return time !== 0 && Math.abs(time) <= LATEST ? new Date(time).toISOString() : null;
}

// Field by field: whatever else an object of the core holds is not for the public.

export function shapeSensor(sensor: SensorState) {
  return {
    id: sensor.id,
    name: sensor.name,
    place: sensor.place,
    zone: sensor.zone,
    quantity: sensor.quantity,
    unit: sensor.unit,
    decimals: sensor.decimals,
    ...(sensor.position ? { position: shapePosition(sensor.position) } : {}),
    vscpClass: sensor.vscpClass,
    type: sensor.type,
    guid: sensor.guid,
    value: sensor.value,
    time: isoOf(sensor.time),
    spark: sensor.spark,
    revision: sensor.revision,
  };
}

export function shapeSensors(view: BoardView, now: number) {
  return {
    title: view.title,
    revision: view.revision,
    time: isoOf(now),
    zones: view.zones.map(({ id, name, position }) => ({
      id,
      name,
      ...(position ? { position: shapePosition(position) } : {}),
    })),
    sensors: view.sensors().map(shapeSensor),
  };
}

export function shapeAlarms(alarms: readonly Alarm[]) {
  return { alarms: alarms.map(shapeAlarm) };
}

export function shapeRelay(relay: RelayView) {
  return {
    state: relay.state,
    since: isoOf(relay.since),
    name: relay.name,
    beacon: isoOf(relay.beacon),
    expected: relay.expected,
    missing: relay.missing,
    silent: relay.silent.map(({ name, since }) => ({ name, since: isoOf(since) })),
  };
}

export function shapeStatus(view: BoardView, history: HistoryCounters, now: number) {
  const { added, kept, dropped, waiting } = history;
  return {
    title: view.title,
    started: isoOf(view.started),
    time: isoOf(now),
    relay: shapeRelay(view.relay()),
    counters: { ...view.counters() },
    history: { added, kept, dropped, waiting },
  };
}

export function shapeEvent({ id, received, event, sensor, value }: KeptEvent) {
  return {
    id,
    received: isoOf(received),
    event,
    ...(sensor === undefined ? {} : { sensor }),
    ...(value === undefined ? {} : { value }),
  };
}

function shapeAlarm({ id, level, name, place, zone, since, time, count }: Alarm) {
  return { id, level, name, place, zone, since: isoOf(since), time: isoOf(time), count };
}

function shapePosition({ x, y }: { readonly x: number; readonly y: number }) {
  return { x, y };
}
