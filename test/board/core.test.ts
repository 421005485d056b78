import fc from 'fast-check';
import t from 'tap';
import {
  BEACON_CLASS,
  BEACON_TYPE,
  type BeaconPart,
  encodeBeacon,
} from '../../src/beacon/beacon.js';
import { Core, type CoreOptions } from '../../src/board/core.js';
import { parseBody } from '../../src/event/event.js';
import { NO_NAMES, parseNames } from '../../src/sensor/names.js';

const NOW = Date.UTC(2026, 10, 23, 12);
const NODE = 'FF:FF:FF:FF:FF:FF:FF:FE:B8:27:EB:10:00:01:00:02';
const STAMP = '2026-11-23T12:00:00Z';

const coreOf = (options: Partial<CoreOptions> = {}): Core =>
  new Core(
    { names: NO_NAMES, sensors: 100, alarmAge: 3_600_000, silence: 60_000, ...options },
    NOW,
  );

interface Said {
  readonly vscpClass?: number;
  readonly type?: number;
  readonly time?: string;
  readonly micro?: number;
  readonly guid?: string;
  readonly data: string;
}

const line = ({ vscpClass = 10, type = 6, time = STAMP, micro = 0, guid = NODE, data }: Said) =>
  `96,${vscpClass},${type},0,${time},${micro},${guid},${data}`;

const take = (core: Core, said: Said, now = NOW) => core.take(parseBody(line(said)), 'relay', now);

function beacon(routine: number, more: { silence?: number; time?: number; boot?: string } = {}) {
  const { silence = 0, time = NOW, boot = '0011223344556677' } = more;
  const numbers = { in: 1, permitted: 1, denied: 0, malformed: 0, lost: 0 };
  const said = {
    ...{ relay: 'harbour', boot, time, routine, urgent: 0, size: 3, root: new Uint8Array(32) },
    ...{ keyId: '00112233', signature: new Uint8Array(64) },
    sources: [{ number: 0, ...numbers, silence }],
  };
  const [data] = encodeBeacon(said, () => new Uint8Array(64));
  return { vscpClass: BEACON_CLASS, type: BEACON_TYPE, data: [...data!].join(',') };
}

await t.test('a reading becomes a sensor with words for its tokens', (t) => {
  const core = coreOf();
  // 26.3 degrees Celsius: coding 4, unit 1, index 2.
  const kept = take(core, { data: '0x8A,0x81,0x01,0x07', micro: 250_000 });
  const id = '10.6.FFFFFFFFFFFFFFFEB827EB1000010002.2';
  t.same(
    kept?.reading,
    { sensor: `${id}@celsius`, time: NOW, value: 26.3 },
    'its second is not over yet',
  );
  t.match(core.sensors(), [
    {
      id,
      name: 'Temperature, sensor 2',
      place: 'Node 0001:0002',
      unit: '°C',
      quantity: 'Temperature',
    },
  ]);
  t.match(core.sensor(id), { value: 26.3, decimals: 1, spark: [26.3], time: NOW });
  // 300 K, the default unit of the specification, is shown as people have it.
  take(core, {
    data: '0x62,0x01,0x2C',
    time: '2026-11-23T11:59:00Z',
    guid: NODE.replace('02', '03'),
  });
  t.equal(core.sensors()[1]?.value.toFixed(2), '26.85');
  t.equal(core.sensors()[1]?.time, NOW - 60_000);
  t.end();
});

await t.test('Level I over Level II is of the node in its data', (t) => {
  const core = coreOf();
  const inside = Array.from({ length: 16 }, (_, i) => i).join(',');
  take(core, { vscpClass: 522, data: `${inside},0x8A,0x81,0x01,0x07` });
  t.match(core.sensors(), [{ id: '10.6.000102030405060708090A0B0C0D0E0F.2', value: 26.3 }]);
  t.end();
});

await t.test('the counters add up, whatever comes', (t) => {
  const said = fc.record({
    vscpClass: fc.constantFrom(0, 1, 2, 10, 20, 60, 65, 522, 1029, 1040, 1060, 65535),
    type: fc.integer({ min: 0, max: 70 }),
    micro: fc.integer({ min: 0, max: 3 }),
    data: fc.uint8Array({ minLength: 1, maxLength: 8 }).map((bytes) => [...bytes].join(',')),
  });
  fc.assert(
    fc.property(fc.array(said, { maxLength: 60 }), (all) => {
      const core = coreOf({ sensors: 5 });
      for (const each of all) take(core, each);
      const { events, readings, alarms, beacons, other, duplicates, unshown } = core.counters();
      if (events !== all.length) throw new Error('an event was not counted');
      if (events !== readings + alarms + beacons + other + duplicates) throw new Error('sums');
      if (unshown > other || core.sensors().length > 5) throw new Error('too many are shown');
      for (const { id, value, spark } of core.sensors()) {
        if (!/^[0-9A-F.]+$/.test(id) || !Number.isFinite(value) || spark.length > 30) {
          throw new Error(`${id} ${value}`);
        }
      }
    }),
  );
  t.end();
});

await t.test('what a relay sends again on a new connection changes nothing', (t) => {
  const core = coreOf();
  const said = { data: '0x8A,0x81,0x01,0x07' };
  core.link('relay', true, NOW);
  t.ok(take(core, said));
  t.ok(take(core, said), 'two that are equal are two');
  core.link('relay', false, NOW);
  core.link('relay', true, NOW);
  const { revision } = core;
  t.notOk(take(core, said));
  t.equal(core.revision, revision);
  t.ok(take(core, said), 'it comes again once');
  t.match(core.counters(), { events: 4, readings: 3, duplicates: 1 });
  t.end();
});

await t.test('a value that cannot be shown makes no sensor', (t) => {
  const core = coreOf({ sensors: 1 });
  // -1e308 kelvin, as a float64.
  t.equal(
    take(core, { vscpClass: 60, data: '0xFF,0xE1,0xCC,0xF3,0x85,0xEB,0xC8,0xA0' })?.reading,
    undefined,
  );
  t.same(core.sensors(), []);
  take(core, { data: '0x8A,0x81,0x01,0x07' });
  t.equal(core.sensors().length, 1);
  t.end();
});

await t.test('an older reading does not replace a newer one; times of no sense are of now', (t) => {
  const core = coreOf();
  const at = (time: string, low: number) =>
    take(core, { time, data: `0x68,${low}` })?.reading?.time;
  t.equal(at('2026-11-23T11:59:30Z', 20), NOW - 30_000);
  t.equal(at('2026-11-23T11:59:00Z', 10), NOW - 60_000);
  t.equal(core.sensors()[0]?.value, 20);
  t.equal(at('2026-11-23T13:00:00Z', 30), NOW, 'of the future');
  t.equal(at('1970-01-02T00:00:00Z', 31), NOW, 'of a clock that was never set');
  t.equal(core.sensors()[0]?.value, 31);
  t.end();
});

await t.test('alarms stand until they are taken back, or too old', (t) => {
  const core = coreOf();
  const alarm = (type: number, data: string, now = NOW) =>
    take(core, { vscpClass: 1, type, data, time: '' }, now);
  alarm(2, '1,4,7');
  alarm(2, '1,4,7', NOW + 1000);
  alarm(1, '1,5,7', NOW + 2000);
  t.match(core.alarms(), [
    {
      ...{ level: 'alarm', name: 'Alarm', place: 'Zone 4, node 0001:0002', count: 2 },
      ...{ since: NOW, time: NOW + 1000 },
    },
    { level: 'warning', name: 'Warning', place: 'Zone 5, node 0001:0002', count: 1 },
  ]);
  alarm(13, '1,4,255', NOW + 3000);
  t.match(core.alarms(), [{ place: 'Zone 5, node 0001:0002' }]);
  core.tick(NOW + 3_700_000, 0);
  t.same(core.alarms(), []);
  for (let zone = 0; zone < 60; zone++) alarm(2, `1,${zone},0`, NOW + zone);
  t.equal(core.alarms().length, 50, 'bounded');
  t.equal(core.alarms()[0]?.place, 'Zone 59, node 0001:0002');
  t.end();
});

await t.test('warnings neither hide an alarm nor drive it out', (t) => {
  const core = coreOf();
  const raise = (type: number, zone: number, now: number) =>
    take(core, { vscpClass: 1, type, data: `0,${zone},0`, time: '' }, now);
  raise(2, 0, NOW);
  for (let zone = 1; zone <= 60; zone++) raise(1, zone, NOW + zone);
  t.equal(core.alarms().length, 50);
  t.match(core.alarms()[0], { level: 'alarm', place: /^Zone 0,/ });
  t.match(core.alarms()[1], { level: 'warning', place: /^Zone 60,/ });
  for (let zone = 1; zone <= 55; zone++) raise(2, zone, NOW + 100 + zone);
  raise(1, 60, NOW + 200);
  const levels = new Set(core.alarms().map(({ level }) => level));
  t.same([...levels], ['alarm']);
  t.match(core.alarms()[0], { place: /^Zone 55,/ });
  t.match(core.alarms()[49], { place: /^Zone 6,/ });
  t.end();
});

await t.test('an alarm without a name says of which node it is, and 255 is every zone', (t) => {
  const names = parseNames(
    'schema: tidegate-names/v1\nsensors: [{ match: { class: 1, zone: 7 }, name: Door }]',
    'board.yaml',
  );
  const core = coreOf({ names });
  const other = NODE.replace(/..$/, '03');
  take(core, { vscpClass: 1, type: 2, data: '0,255,255' });
  take(core, { vscpClass: 1, type: 2, data: '0,255,255', guid: other });
  take(core, { vscpClass: 1, type: 2, data: '0,7,0' });
  t.same(
    core.alarms().map(({ name, place }) => `${name} · ${place}`),
    ['Door · Zone 7', 'Alarm · All zones, node 0001:0003', 'Alarm · All zones, node 0001:0002'],
  );
  t.end();
});

await t.test('what has no time of its own is taken each time that it comes', (t) => {
  const core = coreOf();
  const said = { vscpClass: 1, data: '0,4,7', time: '' };
  core.link('stand-in', true, NOW);
  take(core, { ...said, type: 13 });
  take(core, { ...said, type: 2 });
  t.equal(core.alarms().length, 1);
  core.link('relay', false, NOW);
  core.link('relay', true, NOW);
  t.ok(take(core, { ...said, type: 13 }), 'it is taken back on another connection');
  t.same(core.alarms(), []);
  t.match(core.counters(), { alarms: 3, duplicates: 0 });
  t.end();
});

await t.test('a clock that is set ends no alarm, and freezes no sensor', (t) => {
  const core = coreOf();
  const alarm = { vscpClass: 1, type: 2, data: '1,4,7' };
  const ahead = NOW + 11 * 365 * 86_400_000;
  const say = (low: number, now: number, steady: number) =>
    core.take(parseBody(line({ data: `0x68,${low}`, time: '' })), 'relay', now, steady);
  core.take(parseBody(line(alarm)), 'relay', NOW, NOW);
  core.tick(ahead, 0, NOW + 1000);
  t.equal(core.alarms().length, 1);
  core.take(parseBody(line({ ...alarm, time: '' })), 'relay', ahead, NOW + 2000);
  t.match(core.alarms(), [{ count: 2, time: ahead }]);
  say(10, ahead, NOW + 2000);
  say(20, NOW + 3000, NOW + 3000);
  t.match(core.sensors(), [{ value: 20, time: NOW + 3000 }]);
  say(21, NOW + 4000, NOW + 4000);
  t.equal(core.sensors()[0]?.value, 21);
  core.take(parseBody(line({ ...alarm, time: '' })), 'relay', NOW + 5000, NOW + 5000);
  t.match(core.alarms(), [{ count: 3, time: NOW + 5000 }]);
  core.tick(NOW + 3_604_000, 0, NOW + 3_604_000);
  t.equal(core.alarms().length, 1);
  core.tick(NOW + 3_606_000, 0, NOW + 3_606_000);
  t.same(core.alarms(), [], 'its hour is over');
  core.take(parseBody(line(alarm)), 'relay', NOW + 10_000, ahead);
  core.tick(NOW + 11_000, 0, ahead + 1000);
  t.equal(core.alarms().length, 1, 'of a board that began while its clock was ahead');
  t.end();
});

await t.test('a board that starts has the alarms that stood', (t) => {
  const core = coreOf();
  t.equal(core.saveAlarms(), undefined);
  take(core, { vscpClass: 1, type: 2, data: '1,4,7' });
  const text = core.saveAlarms()!;
  t.equal(core.saveAlarms(), undefined, 'once');
  const again = coreOf();
  again.restoreAlarms(text, NOW);
  t.same(again.alarms(), core.alarms());
  const next = new Core(
    { names: NO_NAMES, sensors: 100, alarmAge: 3_600_000, silence: 60_000 },
    NOW + 60_000,
  );
  next.restoreAlarms(text, NOW + 60_000);
  t.equal(next.alarms()[0]?.id, core.alarms()[0]?.id, 'one that was announced');
  next.take(parseBody(line({ vscpClass: 1, type: 3, data: '1,4,7' })), 'relay', NOW + 60_000);
  t.ok(Math.max(...next.alarms().map(({ id }) => id)) > NOW + 60_000, 'one that was not');
  take(again, { vscpClass: 1, type: 13, data: '1,4,7' });
  t.same(again.alarms(), []);
  const late = coreOf();
  late.restoreAlarms(text, NOW + 4_000_000);
  t.same(late.alarms(), [], 'too old');
  for (const bad of [
    '',
    'x',
    '{}',
    '[1,[2,3],["k",null]]',
    text.replace('"alarm"', '"x"'),
    text.slice(9),
  ]) {
    const other = coreOf();
    other.restoreAlarms(bad, NOW);
    t.same(other.alarms(), [], bad.slice(0, 20));
  }
  t.end();
});

await t.test('a relay is live, silent, away; its beacons say what is missing', (t) => {
  const core = coreOf();
  t.match(core.relay(), { state: 'never', since: NOW });
  core.link('relay', true, NOW);
  t.match(core.relay(), { state: 'live' });
  const huge = beacon(10).data.replace(/^((?:\d+,){27})\d+/, '$1255');
  t.not(huge, beacon(10).data);
  take(core, { ...beacon(10), data: huge }, NOW);
  t.equal(core.relay().beacon, 0, 'a number that no relay can have');
  take(core, beacon(10), NOW);
  t.match(core.relay(), { name: 'harbour', beacon: NOW, expected: 0, missing: 0, silent: [] });
  take(core, { data: '0x68,1' }, NOW + 1000);
  // Since the first beacon four records: three events, of which one came, and this one.
  take(core, beacon(14, { silence: 90, time: NOW + 2000 }), NOW + 2000);
  t.match(core.relay(), { expected: 3, missing: 2 });
  t.same(core.relay().silent, [{ name: 'Source 1', since: NOW - 88_000 }]);
  core.tick(NOW + 3000, 0);
  t.equal(core.relay().state, 'live');
  core.tick(NOW + 70_000, 0);
  t.match(core.relay(), { state: 'silent', since: NOW + 2000 });
  take(core, { data: '0x68,2' }, NOW + 80_000);
  t.match(core.relay(), { state: 'live', since: NOW + 80_000 });
  core.link('relay', false, NOW + 90_000);
  core.tick(NOW + 900_000, 0);
  t.match(core.relay(), { state: 'away', since: NOW + 90_000, missing: 2 });
  t.end();
});

await t.test('a beacon that its relay has not signed is not believed', (t) => {
  const asked: string[] = [];
  const verify = (relay: string, { routine }: BeaconPart): boolean => {
    asked.push(relay);
    return routine < 20;
  };
  const core = coreOf({ verify });
  take(core, beacon(10));
  t.equal(take(core, beacon(20)), undefined);
  t.match(core.relay(), { beacon: NOW, expected: 0, missing: 0 });
  t.match(core.counters(), { events: 2, beacons: 1, other: 1, unverified: 1 });
  t.same(asked, ['relay', 'relay']);
  t.end();
});

await t.test('of several relays the worst is shown', (t) => {
  const core = coreOf();
  core.link('a', true, NOW);
  core.link('b', true, NOW);
  core.link('b', false, NOW + 5);
  t.match(core.relay(), { state: 'away', since: NOW + 5 });
  core.link('b', true, NOW + 9);
  t.equal(core.relay().state, 'live');
  t.end();
});

await t.test('what a names file hides is neither shown nor kept', (t) => {
  const names = parseNames(
    'schema: tidegate-names/v1\nsensors: [{ match: { class: 10, type: 6 }, hide: true }]',
    'board.yaml',
  );
  const core = coreOf({ names });
  t.equal(take(core, { data: '0x8A,0x81,0x01,0x07' }), undefined, 'nor among the events');
  t.match(core.counters(), { events: 1, other: 1 });
  take(core, { type: 35, data: '0x60,50' });
  t.match(core.sensors(), [{ quantity: 'Humidity', unit: '%', value: 50 }]);
  t.end();
});

await t.test('under other names it goes on with what it knows', (t) => {
  const id = '10.6.FFFFFFFFFFFFFFFEB827EB1000010002.2';
  const named = (entry: string, title = 'A') =>
    parseNames(
      `schema: tidegate-names/v1\ntitle: ${title}\nzones: { z: { name: Hall } }\n` +
        `sensors: [{ match: { class: 10, type: 6 }, ${entry} }]`,
      'board.yaml',
    );
  const core = coreOf();
  take(core, { data: '0x8A,0x81,0x01,0x07' });
  take(core, { vscpClass: 1, type: 2, data: '0,1,2' });
  const seen = [core.edition];
  const { revision } = core;
  core.rename(named('name: Boiler, zone: z', 'B'));
  t.match([core.title, core.zones], ['B', [{ id: 'z' }]]);
  t.match(core.sensor(id), {
    name: 'Boiler',
    place: 'Hall',
    value: 26.3,
    spark: [26.3],
    time: NOW,
  });
  t.ok(core.sensor(id)!.revision > revision, 'streams are told');
  t.equal(core.alarms().length, 1);
  seen.push(core.edition);

  take(core, { data: '0x8A,0x81,0x01,0x08', time: '2026-11-23T12:00:01Z' }, NOW + 1000);
  t.match(core.sensor(id), { name: 'Boiler', value: 26.4, spark: [26.4] }, 'in the same bucket');
  core.rename(named('unit: fahrenheit'));
  t.equal(core.sensor(id), undefined, 'another series begins with its next reading');
  take(core, { data: '0x8A,0x81,0x01,0x07', time: '2026-11-23T12:00:02Z' }, NOW + 2000);
  t.match(core.sensor(id), { unit: '°F' });
  t.equal(core.sensor(id)!.value.toFixed(2), '79.34');
  seen.push(core.edition);

  core.rename(named('hide: true'));
  t.same([core.sensors(), core.sensor(id)], [[], undefined]);
  t.equal(take(core, { data: '0x8A,0x81,0x01,0x09' }, NOW + 3000), undefined, 'nor kept');
  seen.push(core.edition);
  core.rename(NO_NAMES);
  t.equal(core.edition, seen[0], 'what is the same has the same edition');
  t.equal(new Set(seen).size, 4);
  t.end();
});

await t.test('invented sensors lock out neither named ones nor those of tomorrow', (t) => {
  const names = parseNames(
    'schema: tidegate-names/v1\nsensors: [{ match: { type: 6, sensor: 2 }, name: Boiler }]',
    'board.yaml',
  );
  const core = coreOf({ names, sensors: 3 });
  const node = (n: number): string => NODE.replace(/..$/, `1${n}`);
  const say = (n: number, data: string, later = 0): void => {
    const at = NOW + later;
    const time = `${new Date(at).toISOString().slice(0, 19)}Z`;
    take(core, { data, guid: node(n), time }, at);
  };
  const shown = (): string[] => core.sensors().map(({ guid, name }) => `${guid.slice(-1)} ${name}`);
  for (let n = 1; n <= 5; n++) say(n, '0x89,0x81,0x01,0x07', n * 1000);
  t.same(
    shown(),
    ['1', '2', '3'].map((n) => `${n} Temperature, sensor 1`),
  );
  t.equal(core.counters().unshown, 2);
  say(6, '0x8A,0x81,0x01,0x07', 6000);
  t.same(shown(), ['6 Boiler', '2 Temperature, sensor 1', '3 Temperature, sensor 1']);
  const day = 86_400_000;
  say(3, '0x89,0x81,0x01,0x08', day);
  say(7, '0x89,0x81,0x01,0x07', day + 120_000);
  t.same(shown(), ['6 Boiler', '3 Temperature, sensor 1', '7 Temperature, sensor 1']);
  for (const n of [1, 2, 4]) say(n, '0x8A,0x81,0x01,0x07', day + 130_000);
  t.same(shown(), ['6', '1', '2'].map((n) => `${n} Boiler`).sort(), 'named ones stay');
  t.equal(core.counters().unshown, 3);
  t.end();
});

await t.test('after a restart it shows what it knew', (t) => {
  const core = coreOf();
  const id = '10.6.FFFFFFFFFFFFFFFEB827EB1000010002.2';
  const readings = [1, 2, 3].map((n) => ({ sensor: id, time: NOW - 60_000 * (4 - n), value: n }));
  core.recall(`${id}@celsius`, readings);
  core.recall(`${id}@kelvin`, [{ sensor: id, time: NOW, value: 300 }]);
  for (const key of ['', '@', 'x', `${id}.1@celsius`, '10.6.0.0@celsius'])
    core.recall(key, readings);
  t.equal(core.sensors().length, 1);
  t.match(core.sensor(id), { value: 3, spark: [1, 2, 3], time: NOW - 60_000 });
  t.equal(core.counters().events, 0);
  t.end();
});
