/** Windows, deadbands and rates in a relay of real processes, whose gate and whole are killed. */
import { createHmac } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { type ChannelStatus, sum } from '../../src/wire/status.js';
import { FakeLower } from '../fake/lower.js';
import { FakeUpper } from '../fake/upper.js';
import { type RunningRelay, startRelay } from './relay.js';

const EVERY = 2000;
const KEY = 'a key of a test, which is long enough, and a secret to nobody';
const PSEUDONYM = "guid: { pseudonym: { key_file: ./names.key, prefix: '02:52:4C:59/32' } }";
const PER = 'per: [guid, sensor]';
/** Channels: `public` gets means and changes, `ops` gets so many events and no more. */
const POLICY = `schema: tidegate-policy/v1
policy: { id: plant, revision: 1 }
rules:
  - name: means
    effect: permit
    to: public
    match: { class: 10, type: TEMPERATURE }
    emit:
      class: 1060
      ${PSEUDONYM}
      sensor: keep
      value: { fn: mean, unit: celsius, round: 0.01 }
      time: { floor: 2s }
      window: { every: 2s, ${PER} }
  - name: days
    effect: permit
    to: public
    match: { class: 10, type: PRESSURE }
    emit:
      value: { fn: max, unit: pascal }
      window: { every: 1d, per: [guid] }
  - name: changes
    effect: permit
    to: public
    match: { class: 10, type: HUMIDITY }
    emit:
      ${PSEUDONYM}
      sensor: keep
      value: { unit: percent }
      deadband: { change: 5, unit: percent, ${PER} }
  - name: few
    effect: permit
    to: ops
    match: { class: 20 }
    emit: { guid: keep, time: keep, data: keep }
    limits: { rate: 1/h, burst: 7 }
`;

const TEMPERATURE = 6;
const PRESSURE = 12;
const HUMIDITY = 35;

const guidOf = (device: number): string =>
  `FF:FF:FF:FF:FF:FF:FF:FE:B8:27:EB:10:01:02:${[device >> 8, device & 255]
    .map((byte) => byte.toString(16).toUpperCase().padStart(2, '0'))
    .join(':')}`;

/** As the README says: the prefix, then the first bits of HMAC-SHA-256 over the GUID's bytes. */
function pseudonymOf(device: number): string {
  const guid = Buffer.from(guidOf(device).replaceAll(':', ''), 'hex');
  const mac = createHmac('sha256', KEY).update(guid).digest();
  const bytes = Buffer.concat([Buffer.from([0x02, 0x52, 0x4c, 0x59]), mac.subarray(0, 12)]);
  return [...bytes].map((byte) => byte.toString(16).toUpperCase().padStart(2, '0')).join(':');
}

/** A value in hundredths, as a normalized integer, in unit 1 (celsius) or 0. */
function sample(device: number, sensor: number, type: number, hundredths: number): string {
  const unit = type === TEMPERATURE ? 1 : 0;
  const coding = 0x80 | (unit << 3) | sensor;
  const [high, low] = [(hundredths >> 8) & 255, hundredths & 255];
  return `96,10,${type},3,2001-01-01T00:00:00Z,1,${guidOf(device)},${coding},0x82,${high},${low}`;
}

interface Sent {
  readonly class: number;
  readonly type: number;
  readonly time: string;
  readonly guid: string;
  readonly data: Buffer;
}

function parse(send: string): Sent {
  const [, vscpClass, type, , time, , guid, ...data] = send.split(',');
  return {
    class: Number(vscpClass),
    type: Number(type),
    time: time!,
    guid: guid!.toUpperCase(),
    data: Buffer.from(data.map(Number)),
  };
}

/** What windows may have made of samples in this order: each of one or more of them. */
function areMeans(samples: readonly number[], means: readonly number[]): boolean {
  const [mean, ...others] = means;
  if (mean === undefined) return samples.length === 0;
  let total = 0;
  return samples.some((value, i) => {
    total += value;
    const near = Math.abs(total / (i + 1) / 100 - mean) < 0.0051;
    return near && areMeans(samples.slice(i + 1), others);
  });
}

class Plant {
  /** By device: what sensor 1 sent, in hundredths. */
  readonly samples = new Map<number, number[]>();
  readonly humidity: number[] = [];
  #device = 0;
  #random = 1;
  readonly #lower: FakeLower;

  constructor(lower: FakeLower) {
    this.#lower = lower;
  }

  /** Temperatures of a device that has sent none; returns which. */
  burst(count: number): number {
    const device = ++this.#device;
    const values = Array.from({ length: count }, () => this.#next() % 4000);
    this.samples.set(device, values);
    this.#lower.send(values.map((value) => sample(device, 1, TEMPERATURE, value)).join('\n'));
    return device;
  }

  send(type: number, hundredths: number): void {
    this.#lower.send(sample(1000, 2, type, hundredths));
  }

  alarms(count: number): void {
    const line = `0,20,3,0,,1,${guidOf(7)},1,2,3`;
    this.#lower.send(Array.from({ length: count }, () => line).join('\n'));
  }

  #next(): number {
    this.#random = (this.#random * 48_271) % 0x7fff_ffff;
    return this.#random;
  }
}

/** Means above, of one device: in the order in which they came. */
function meansOf(upper: FakeUpper, device: number): number[] {
  const name = pseudonymOf(device);
  const sends = [...new Set(upper.accepted)].map(parse);
  return sends
    .filter((send) => send.class === 1060 && send.guid === name)
    .map(({ data }) => data.readDoubleBE(4));
}

function channelOf(relay: RunningRelay, name: string): ChannelStatus {
  return relay.gate()!.channels.find(({ channel }) => channel === name)!;
}

async function begin(t: Test) {
  const lower = await FakeLower.start({ kind: 'vscpd-15' });
  const [portal, desk] = [await FakeUpper.start(), await FakeUpper.start()];
  t.teardown(() => Promise.all([lower.close(), portal.close(), desk.close()]));
  const directory = t.testdir({});
  mkdirSync(directory, { recursive: true });
  writeFileSync(join(directory, 'names.key'), `${KEY}\n`, { mode: 0o600 });
  const start = async (count: number): Promise<RunningRelay> => {
    const relay = await startRelay(t, {
      lowers: [{ name: 'plant', port: lower.port }],
      uppers: [
        { name: 'portal', port: portal.port },
        { name: 'desk', port: desk.port, channel: 'ops' },
      ],
      policy: POLICY,
      window: 50,
      directory,
    });
    await relay.untilUp();
    await lower.untilLoop(count);
    return relay;
  };
  return { lower, portal, desk, start, plant: new Plant(lower) };
}

/** Sends until a device's samples are in windows that end by themselves. */
async function untilMeans(relay: RunningRelay, plant: Plant, portal: FakeUpper): Promise<number> {
  const device = plant.burst(40);
  const samples = plant.samples.get(device)!;
  await relay.until(() => areMeans(samples, meansOf(portal, device)), 'means of all samples');
  return device;
}

/** The sums of the README, when nothing is on its way. */
async function checkSums(t: Test, relay: RunningRelay, uppers: Record<string, FakeUpper>) {
  await relay.until(
    () =>
      Object.keys(uppers).every((name) => {
        const channel = name === 'portal' ? 'public' : 'ops';
        const { journalled } = channelOf(relay, channel);
        return journalled === 0 || relay.upper(name)?.answered === journalled;
      }),
    'all that is journalled is answered',
  );
  const gate = relay.gate()!;
  const plant = gate.sources['plant']!;
  t.equal(plant.in, plant.permitted + plant.denied + sum(plant.malformed) + sum(plant.lost));
  for (const each of gate.channels) {
    const { permitted, emitted, absorbed, open, withheld, journalled } = each;
    t.equal(permitted, emitted + sum(absorbed) + open + sum(withheld), JSON.stringify(each));
    t.equal(emitted, journalled, `${each.channel}: emitted = journalled`);
  }
  for (const [name, upper] of Object.entries(uppers)) {
    const { answered, resent } = relay.upper(name)!;
    const different = new Set(upper.connections.flatMap(({ sends }) => sends)).size;
    t.ok(upper.accepted.length <= answered + resent, `${name}: no more than was journalled`);
    if (name === 'portal') t.equal(different, answered, 'all that was journalled is above');
  }
}

/** No window of a sensor is told of twice, but for byte-for-byte repetitions of what was resent. */
function checkWindows(t: Test, upper: FakeUpper): void {
  const windows = new Map<string, string>();
  for (const send of new Set(upper.accepted)) {
    const { class: vscpClass, guid, time, data } = parse(send);
    if (vscpClass !== 1060) continue;
    t.match(time, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d[02468]Z?$/, 'the beginning of a window');
    const key = `${guid} ${data[0]} ${time}`;
    t.equal(windows.get(key), undefined, `${key}: once`);
    windows.set(key, send);
  }
}

await t.test('means, changes and rates: right above, and the sums hold', async (t) => {
  const { portal, desk, start, plant } = await begin(t);
  const relay = await start(1);
  for (let i = 0; i < 2; i++) await untilMeans(relay, plant, portal);
  const changes = [50, 54, 55, 51, 46, 45, 100, 96, 40, 44].map((each) => each * 100);
  for (const value of changes) plant.send(HUMIDITY, value);
  for (const value of [9, 11, 10]) plant.send(PRESSURE, value * 100);
  plant.alarms(30);
  await relay.until(() => channelOf(relay, 'ops').permitted === 30, 'all alarms are decided');
  await relay.until(() => channelOf(relay, 'public').open === 3, 'the day goes on');
  await checkSums(t, relay, { portal, desk });
  checkWindows(t, portal);

  const humid = portal.accepted.map(parse).filter(({ type }) => type === HUMIDITY);
  // Differing by 5 from the last that was sent: 50, 55, then 50 or less, and so on.
  const expected = [50, 55, 46, 100, 40];
  // Coded as whole numbers of sensor 2.
  t.same(
    humid.map(({ data }) => [...data]),
    expected.map((value) => [0x62, value]),
  );
  t.ok(humid.every(({ guid }) => guid === pseudonymOf(1000)));
  const { absorbed, withheld } = channelOf(relay, 'public');
  t.equal(absorbed['deadband'], changes.length - expected.length);
  const means = portal.accepted.map(parse).filter((send) => send.class === 1060).length;
  t.equal(absorbed['window'], 2 * 40 - means);
  t.same(withheld, {});
  // A bucket begins empty after a start, and gains one event in an hour.
  t.ok((channelOf(relay, 'ops').withheld['rate'] ?? 0) >= 29);
  t.equal(desk.accepted.length, channelOf(relay, 'ops').emitted);
  t.notMatch(portal.connections.map(({ received }) => received.toString()).join(), 'B8:27:EB');
  t.equal(await relay.stop(), 0);
});

await t.test(
  'kill -9 of the gate, of the relay, a restart: open windows send nothing',
  async (t) => {
    const { lower, portal, desk, start, plant } = await begin(t);
    let relay = await start(1);
    let links = 1;
    const interrupted = (): number => channelOf(relay, 'public').withheld['interrupted'] ?? 0;
    /** What stays open for the day, to be counted exactly, and a window that is about to end. */
    const fill = async (): Promise<number> => {
      await sleep(EVERY - (Date.now() % EVERY) + 50);
      const count = channelOf(relay, 'public').permitted;
      for (let i = 0; i < 5; i++) plant.send(PRESSURE, i);
      const device = plant.burst(40);
      await relay.until(() => channelOf(relay, 'public').permitted === count + 45, 'all is taken');
      return device;
    };
    const checkNothingSent = (device: number): boolean => {
      const means = meansOf(portal, device);
      const samples = plant.samples.get(device)!;
      // On a slow machine a window, or one of two, ended before the kill: then it was sent as it is.
      const whole = samples.some((_, i) => areMeans(samples.slice(0, i + 1), means));
      t.ok(means.length === 0 || whole, `nothing of an open window: ${means.join()}`);
      return means.length === 0;
    };
    let inTime = 0;
    await untilMeans(relay, plant, portal);
    for (const end of ['gate', 'kill', 'gate'] as const) {
      const before = interrupted();
      const device = await fill();
      const lost = (): number => relay.gate()!.sources['plant']!.lost['restart'] ?? 0;
      const lostBefore = lost();
      const emitted = channelOf(relay, 'public').emitted;
      if (end === 'gate') {
        await relay.replaceGate();
      } else {
        await relay.kill();
        const { started } = relay.gate()!;
        relay = await start(++links);
        await relay.until(() => relay.gate()!.started !== started, 'another gate');
      }
      t.equal(channelOf(relay, 'public').open, 0, 'nothing is open in a new gate');
      await untilMeans(relay, plant, portal);
      if (checkNothingSent(device)) inTime++;
      // What no mark had told of counts as lost; all the rest as interrupted.
      const more = interrupted() - before + lost() - lostBefore;
      t.ok(
        more === 45 || meansOf(portal, device).length > 0 || end === 'kill',
        `${end}: ${more} of 45`,
      );
      t.ok(interrupted() - before <= 45);
      // A status is a quarter of a second old.
      await relay.until(() => channelOf(relay, 'public').emitted > emitted, 'later windows go on');
    }
    t.ok(inTime > 0, `${inTime} windows were open at the end`);
    await checkSums(t, relay, { portal, desk });
    checkWindows(t, portal);
    t.equal(channelOf(relay, 'public').open, 0);
    t.notOk(
      portal.accepted.some((send) => parse(send).type === PRESSURE),
      'no day has ended',
    );
    t.equal(lower.connections.length, links, 'the link stood through every kill of the gate');
    t.equal(await relay.stop(), 0);
  },
);

await t.test('an orderly stop keeps the counters, and counts open windows', async (t) => {
  const { start, plant } = await begin(t);
  let relay = await start(1);
  const rounds = 3;
  for (let round = 1; round <= rounds; round++) {
    const { in: before } = relay.gate()!.sources['plant']!;
    const idle = plant.burst(3);
    t.equal(idle, round);
    for (let i = 0; i < 5; i++) plant.send(PRESSURE, i);
    await relay.until(() => relay.gate()!.sources['plant']!.in >= before + 8, 'all is taken');
    t.equal(await relay.stop(), 0);
    const { sources, channels, started } = relay.gate()!;
    relay = await start(round + 1);
    await relay.until(() => relay.gate()!.started !== started, 'another gate');
    const { continued } = relay.gate()!;
    const last = sources['plant']!;
    const same = { ...continued['plant']!, alive: last.alive, bytes: last.bytes };
    t.same(same, last, `stop ${round}: what was counted is counted after a restart`);
    const { permitted, open, withheld } = channelOf(relay, 'public');
    t.equal(permitted, channels[0]!.permitted);
    t.equal(open, 0);
    t.equal(
      withheld['interrupted'],
      channels[0]!.open + (channels[0]!.withheld['interrupted'] ?? 0),
    );
  }
  t.equal(await relay.stop(), 0);
});
