/** A lower server that sends what is hard on windows, deadbands and values; the sums hold. */
import t from 'tap';
import { MAX_STREAMS } from '../../src/policy/streams.js';
import { readUsage } from '../../src/supervisor/usage.js';
import { type ChannelStatus, sum } from '../../src/wire/status.js';
import { FakeLower } from '../fake/lower.js';
import { FakeUpper } from '../fake/upper.js';
import { startRelay } from './relay.js';

const POLICY = `schema: tidegate-policy/v1
policy: { id: plant, revision: 1 }
rules:
  - name: values
    effect: permit
    to: public
    match: { class: [10, 60, 65, 1040, 1060], type: TEMPERATURE }
    emit:
      class: 1060
      guid: keep
      value: { unit: celsius, round: 0.001 }
      time: { floor: 1m }
  - name: changes
    effect: permit
    to: public
    match: { class: 10, type: HUMIDITY }
    emit: { guid: keep, value: keep, deadband: { change: 1, unit: percent } }
  - name: means
    effect: permit
    to: public
    match: { class: [10, 1040, 1060], type: ALTITUDE }
    emit:
      class: 1060
      guid: keep
      value: { fn: mean, unit: metre }
      time: { floor: 2s }
      window: { every: 2s, per: [guid] }
  - name: days
    effect: permit
    to: public
    match: { class: 10, type: PRESSURE }
    emit: { guid: keep, value: { fn: max, unit: pascal }, window: { every: 1d, per: [guid] } }
`;

const [TEMPERATURE, PRESSURE, HUMIDITY, ALTITUDE] = [6, 12, 35, 51];
const CLASSES = [10, 60, 65, 1040, 1060];
/** A table of all streams takes some tens of MiB. */
const MOST_MEMORY = 256 * 2 ** 20;
const TIMES = [
  '2026-06-01T12:00:07Z',
  '1970-01-01T00:00:00Z',
  '1900-02-29T00:00:00Z',
  '9999-12-31T23:59:59Z',
  '2026-06-01T12:00:07Z',
  '',
];

const hex = (byte: number): string => byte.toString(16).padStart(2, '0');

function guidOf(device: number): string {
  const tail = [24, 16, 8, 0].map((bits) => hex((device >>> bits) & 255)).join(':');
  return `FF:FF:FF:FF:FF:FF:FF:FE:B8:27:EB:10:${tail}`;
}

function line(vscpClass: number, type: number, device: number, data: Iterable<number>, time = '') {
  const parts = [96, vscpClass, type, 3, time, 1, guidOf(device), ...data];
  return parts.join(',');
}

const floatOf = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeFloatBE(value);
  return bytes;
};
const doubleOf = (value: number): Buffer => {
  const bytes = Buffer.alloc(8);
  bytes.writeDoubleBE(value);
  return bytes;
};
const textOf = (text: string): number[] => [1, 2, 3, 1, ...Buffer.from(text)];

/** Numbers from 0 to below `count`, the same at every run. */
function seeded(seed: number): (count: number) => number {
  let state = seed;
  return (count) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * count);
  };
}

/** Measurements without a finite value, in every form that has one. */
function notFinite(type: number): string[] {
  return [NaN, Infinity, -Infinity].flatMap((value) => [
    line(10, type, 1, [0xa8, ...floatOf(value)], TIMES[0]),
    line(65, type, 1, [1, 2, 3, 0xa8, ...floatOf(value)], TIMES[0]),
    line(60, type, 1, doubleOf(value), TIMES[0]),
    line(1060, type, 1, [1, 2, 3, 1, ...doubleOf(value)], TIMES[0]),
    line(1040, type, 1, textOf('1e999'), TIMES[0]),
    line(1040, type, 1, textOf('9'.repeat(480)), TIMES[0]),
    line(1040, type, 1, textOf(`-${'9'.repeat(479)}`), TIMES[0]),
  ]);
}

await t.test(
  'values, times and GUIDs of every kind: the sums hold, memory is bounded',
  async (t) => {
    const lower = await FakeLower.start({ kind: 'vscpd-15' });
    const upper = await FakeUpper.start();
    t.teardown(() => Promise.all([lower.close(), upper.close()]));
    const relay = await startRelay(t, {
      lowers: [{ name: 'plant', port: lower.port }],
      uppers: [{ name: 'portal', port: upper.port, window: 500 }],
      policy: POLICY,
    });
    await relay.untilUp();
    await lower.untilLoop();
    const plant = () => relay.gate()!.sources['plant']!;
    const channel = (): ChannelStatus => relay.gate()!.channels[0]!;
    const gate = relay.pid('gate')!;
    let sent = 0;
    let most = 0;
    let signs = 0;
    /** Bytes as they are, so many at a time that the valve's queue holds them. */
    const send = async (lines: readonly string[]): Promise<void> => {
      for (let at = 0; at < lines.length; at += 20_000) {
        const some = lines.slice(at, at + 20_000);
        lower.send(Buffer.from(some.map((each) => `${each}\r\n`).join('')));
        sent += some.length;
        await relay.until(() => plant().in >= sent, `${sent} lines are decided`);
        most = Math.max(most, readUsage(gate)!.memory);
      }
      signs = plant().in - sent;
    };

    // 1. What is no number is refused, by whatever rule it would go.
    const wrong = [
      ...notFinite(TEMPERATURE),
      ...notFinite(ALTITUDE).filter((each) => !/^96,6[05]/.test(each)),
    ];
    await send(wrong);
    t.equal(plant().malformed['value'], wrong.length, 'NaN and infinities are malformed');
    t.equal(plant().permitted, 0);

    // 2. Right values in odd forms, each of which is known.
    const odd: [string, number][] = [
      [line(10, TEMPERATURE, 2, [0x88, 0x82, 0x08, 0x66], TIMES[0]), 21.5],
      [line(10, TEMPERATURE, 2, [0x68, 0xff], TIMES[1]), -1],
      [line(10, TEMPERATURE, 2, [0x88, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff], TIMES[0]), 0],
      [line(1040, TEMPERATURE, 2, textOf('0'.repeat(479) + '7'), TIMES[0]), 7],
      [line(1040, TEMPERATURE, 2, textOf(`0.${'3'.repeat(478)}`), TIMES[0]), 0.333],
      [line(1040, TEMPERATURE, 2, textOf(`${'9'.repeat(300)}e-300`), TIMES[0]), 1],
      [line(10, TEMPERATURE, 2, [0x88, 0x7f, 1], TIMES[0]), 1e127],
      [line(1060, TEMPERATURE, 2, [0, 0, 0, 1, ...doubleOf(5e-324)], TIMES[0]), 0],
      [line(1060, TEMPERATURE, 2, [0, 0, 0, 1, ...doubleOf(-0)], TIMES[0]), 0],
    ];
    await send(odd.map(([text]) => text));
    await relay.until(() => upper.accepted.length === odd.length, 'odd values arrive');
    const valueOf = (text: string): number =>
      Buffer.from(text.split(',').slice(7).map(Number)).readDoubleBE(4);
    t.same(
      upper.accepted.map((text) => valueOf(text)),
      odd.map(([, value]) => value),
    );
    t.notOk(upper.accepted.some((text) => Object.is(valueOf(text), -0)));

    // 3. Every coding, any length, any time, again and again.
    const random = seeded(5);
    const noise: string[] = [];
    for (let i = 0; i < 30_000; i++) {
      const data = Array.from({ length: random(14) }, () => random(256));
      if (data.length > 0 && i % 2 === 0) data[0] = (i >>> 1) & 255;
      const type = [TEMPERATURE, HUMIDITY, ALTITUDE, PRESSURE][random(4)]!;
      const text = line(CLASSES[random(5)]!, type, random(50), data, TIMES[random(TIMES.length)]);
      noise.push(text);
      if (i % 10 === 0) noise.push(text);
    }
    await send(noise);
    t.ok((channel().withheld['conversion'] ?? 0) > 0, 'what does not decode is withheld');

    // 4. Many windows that end together: each sends one.
    const crowd = 10_000;
    await send(
      Array.from({ length: crowd }, (_, i) =>
        line(10, ALTITUDE, 1000 + i, [0x60, i & 127], TIMES[i % 2]),
      ),
    );
    const isOfCrowd = (text: string): boolean => {
      const [, vscpClass, type, , , , guid] = text.split(',');
      const device = Number.parseInt(guid!.split(':').slice(12).join(''), 16);
      return vscpClass === '1060' && type === String(ALTITUDE) && device >= 1000;
    };
    let [seen, means] = [0, 0];
    await relay.until(() => {
      for (; seen < upper.accepted.length; seen++)
        means += Number(isOfCrowd(upper.accepted[seen]!));
      return means >= crowd;
    }, 'one mean for each');
    const ofCrowd = upper.accepted.filter(isOfCrowd);
    t.equal(ofCrowd.length, crowd);
    t.ok(
      ofCrowd.every((text) => Math.abs(Date.parse(text.split(',')[4]!) - Date.now()) < 3_600_000),
      'windows have the time of the relay, whatever the events say',
    );

    // 5. More streams than there may be.
    const excess = 5000;
    const { open: held, permitted, withheld } = channel();
    t.equal(withheld['overflow'], undefined);
    await send(
      Array.from({ length: MAX_STREAMS + excess }, (_, i) =>
        line(10, PRESSURE, 100_000 + i, [0x60, 5]),
      ),
    );
    await relay.until(
      () => channel().permitted >= permitted + MAX_STREAMS + excess,
      'all are taken',
    );
    const overflow = channel().withheld['overflow'] ?? 0;
    t.ok(overflow >= excess && overflow < excess + 1000, `${overflow} are withheld`);
    t.equal(channel().open - held, MAX_STREAMS + excess - overflow, 'all others are open');
    await send([line(10, ALTITUDE, 7, [0x60, 1]), line(10, PRESSURE, 100_000, [0x60, 9])]);
    t.equal(
      channel().withheld['overflow'],
      overflow + 1,
      'a new stream has no room, a known one has',
    );
    const arrived = upper.accepted.length;
    await send([line(10, TEMPERATURE, 3, [0x68, 42], TIMES[0])]);
    await relay.until(() => upper.accepted.length > arrived, 'what needs no stream goes on');

    await relay.until(
      () => relay.upper('portal')?.answered === channel().journalled,
      'all that is journalled is answered',
    );
    const source = plant();
    t.equal(source.in, sent + signs);
    t.equal(signs, 0, 'nothing but what was sent');
    t.equal(source.in, source.permitted + source.denied + sum(source.malformed) + sum(source.lost));
    t.same(source.lost, {});
    const { emitted, absorbed, open, journalled, ...rest } = channel();
    t.equal(
      rest.permitted,
      emitted + sum(absorbed) + open + sum(rest.withheld),
      JSON.stringify(rest),
    );
    t.equal(emitted, journalled);
    t.equal(upper.accepted.length, journalled, 'all of it is above, once');
    const measured = upper.accepted.filter((text) => text.split(',')[1] === '1060');
    t.ok(
      measured.every((text) => Number.isFinite(valueOf(text))),
      'finite values only',
    );
    most = Math.max(most, readUsage(gate)!.memory);
    t.comment(`the gate took ${Math.round(most / 2 ** 20)} MiB at most`);
    t.ok(most < MOST_MEMORY, `the gate took ${most} bytes`);
    t.equal(relay.pid('gate'), gate, 'the same gate throughout');
    t.equal(await relay.stop(), 0);
  },
);
