/** How the page puts values, times and the relay. */
import fc from 'fast-check';
import t from 'tap';
import {
  ageWords,
  alarmWords,
  areReadings,
  extent,
  gapOf,
  groupAlarms,
  isCoarse,
  measureWords,
  moreWords,
  plainWords,
  rangeFor,
  relayWords,
  seriesWords,
  spark,
  spanWords,
  valueWords,
  zoneLevels,
} from '../../../src/page/words.js';
import type { Alarm, RelayView, Series } from '../../../src/sensor/view.js';
import { NOON } from '../fake.js';

const ALARM: Alarm = {
  id: 1,
  level: 'alarm',
  name: 'Fire',
  place: 'Hall',
  zone: 'hall',
  since: NOON,
  time: NOON + 5000,
  count: 1,
};
const RELAY: RelayView = {
  state: 'live',
  since: NOON,
  name: 'r1',
  beacon: NOON,
  expected: 10,
  missing: 0,
  silent: [],
};

/** Spaces as they are typed, moments as `@`. */
function said(parts: Parameters<typeof plainWords>[0]): string {
  return plainWords(parts, () => '@').replace(/\u00a0/g, ' ');
}

await t.test('values have the digits that they should', (t) => {
  const cases: readonly (readonly [number | null, number, string])[] = [
    [21.44, 1, '21.4'],
    [-0.04, 1, '0.0'],
    [-18.25, 1, '\u221218.3'],
    [1234, 0, '1234'],
    [12345.678, 2, '12\u00a0345.68'],
    [-1234567, 0, '\u22121\u00a0234\u00a0567'],
    [1e15, 0, '1.000e+15'],
    [-1e300, 3, '\u22121.000e+300'],
    [NaN, 1, '–'],
    [Infinity, 1, '–'],
    [null, 1, '–'],
    [1.5, NaN, '2'],
    [1.5, -3, '2'],
    [1.5, 1e9, '1.5000000000'],
  ];
  for (const [value, decimals, words] of cases) t.equal(valueWords(value, decimals), words);
  t.equal(measureWords(1, 0, 'm'), '1\u00a0m');
  t.equal(measureWords(1, 0, ''), '1');
  t.end();
});

await t.test('ages are short, and clocks may differ', (t) => {
  const age = (ms: number): string => ageWords(NOON - ms, NOON).replace('\u00a0', ' ');
  t.equal(age(0), 'now');
  t.equal(age(-4000), 'now');
  t.equal(age(-90_000), '1 min ahead');
  t.equal(age(59_999), '59 s ago');
  t.equal(age(60_000), '1 min ago');
  t.equal(age(3_600_000 * 47.9), '47 h ago');
  t.equal(age(3_600_000 * 48), '2 d ago');
  t.equal(spanWords(86_400_000 * 12_345), '12\u00a0345\u00a0d');
  t.end();
});

await t.test('what the relay does is a sentence, with what was lost', (t) => {
  const words = (relay: Partial<RelayView>): string => {
    const { tone, state, sentence, notes } = relayWords({ ...RELAY, ...relay });
    return [tone, state, said(sentence), ...notes.map(said)].join(' | ');
  };
  t.equal(
    words({}),
    'good | Live | Relay r1 is sending; its last beacon came @, and none of 10 events was lost.',
  );
  t.equal(words({ beacon: 0, name: '' }), 'good | Live | The relay is sending.');
  t.match(words({ missing: 1 }), /^warning .* 1 of 10 events? was lost on the way\.$/);
  t.match(words({ missing: 3, expected: 12_034 }), /3 of 12 034 events were lost/);
  t.match(
    words({ state: 'silent' }),
    /^warning \| Silent .* nothing has come from it since @ \(@\)/,
  );
  t.match(words({ state: 'away' }), /^alarm \| Away \| Relay r1 has been away since @ \(@\)/);
  t.match(words({ state: 'never' }), /^idle \| Waiting \| No relay has connected/);
  t.match(
    words({ silent: [{ name: 'pumps', since: NOON }] }),
    /^warning .* \| pumps, behind the relay, has been silent since @\.$/,
  );
  t.end();
});

await t.test('an alarm says where it is and how often it came', (t) => {
  t.equal(said(alarmWords(ALARM)), 'Hall · @ · @');
  t.equal(said(alarmWords({ ...ALARM, place: '', count: 3 })), '3 times, last @');
  const warning: Alarm = { ...ALARM, level: 'warning' };
  t.same(
    [...zoneLevels([warning, ALARM, warning, { ...warning, zone: 'x' }, { ...ALARM, zone: '' }])],
    [
      ['hall', 'alarm'],
      ['x', 'warning'],
    ],
  );
  t.end();
});

await t.test('alarms of one name and place are one, and the rest says how bad it is', (t) => {
  const again = { ...ALARM, id: 2, since: NOON - 9000, time: NOON + 9000, count: 4 };
  const warning: Alarm = { ...ALARM, level: 'warning' };
  const elsewhere = { ...ALARM, place: 'Stage' };
  t.same(groupAlarms([ALARM, elsewhere, again, warning]), [
    { ...ALARM, since: NOON - 9000, time: NOON + 9000, count: 5 },
    elsewhere,
    warning,
  ]);
  t.same(groupAlarms([]), []);
  t.equal(moreWords([warning, ALARM]), '2 more, 1 alarm');
  t.equal(moreWords([warning, ALARM, ALARM]), '3 more, 2 alarms');
  t.equal(moreWords([warning]), '1 more');
  t.end();
});

await t.test('a sparkline stays in its box, whatever the values', (t) => {
  t.equal(spark([], 1), undefined);
  t.equal(spark([1], 1), undefined);
  t.equal(spark([1, NaN, null], 1), undefined);
  t.equal(spark([5, 5], 1)?.line, 'M0 16L100 16');
  t.equal(spark([0, 1], 1)?.line, 'M0 28L100 4');
  t.equal(spark([22.8, 22.9], 1)?.line, 'M0 17.2L100 14.8', 'a step of the last digit is small');
  t.equal(spark([22.8, 22.9], NaN)?.line, 'M0 16.1L100 15.9');
  fc.assert(
    fc.property(
      fc.array(fc.oneof(fc.double(), fc.constant(null))),
      fc.double(),
      (values, digits) => {
        const { line = 'M0 16', end = 'M0 16h0' } = spark(values, digits) ?? {};
        return [line, end.slice(0, -2)].every((d) =>
          d
            .slice(1)
            .split('L')
            .every((point) => {
              const [x, y] = point.split(' ').map(Number);
              return x! >= 0 && x! <= 100 && y! >= 4 && y! <= 28;
            }),
        );
      },
    ),
  );
  t.end();
});

await t.test('of a series: extent, gaps, and whether it was thinned', (t) => {
  const series = (resolution: Series['resolution'], ...times: readonly number[]): Series => ({
    sensor: 'x',
    resolution,
    points: times.map((time) => [time, 2, 1, 3]),
  });
  t.equal(extent([]), undefined);
  t.same(
    extent([
      [0, 2, 1, 3],
      [1, 4, 4, 9],
    ]),
    { least: 1, greatest: 9, mean: 3 },
  );
  t.equal(gapOf(series('hour', 1)), 5_400_000);
  t.equal(gapOf(series('day')), 129_600_000);
  t.equal(gapOf(series('raw')), 120_000);
  t.equal(gapOf(series('raw', 0, 60_000, 120_000, 9e6)), 480_000, 'a multiple of the usual pause');
  t.match(rangeFor(series('raw', NOON - 60_000).points, NOON), { id: 'hour' });
  t.match(rangeFor(series('raw', NOON - 4_000_000).points, NOON), { id: 'six' });
  t.match(rangeFor(series('raw', 0).points, NOON), { id: 'day' });
  t.match(rangeFor([], NOON), { id: 'day' });
  t.ok(isCoarse(series('hour', 1)));
  t.notOk(isCoarse(series('hour', ...Array(12).keys())));
  t.notOk(isCoarse(series('raw', 1)));
  const words = (from: number, ...times: readonly number[]): string =>
    said(seriesWords(series('hour', ...times), from, 1000));
  t.equal(words(0), 'There is no reading of this time.');
  t.equal(words(0, 50), 'Values are by hour. ');
  t.equal(words(0, 500), 'Values are by hour. History begins at @.');
  t.equal(areReadings(series('raw', 1)), false);
  t.equal(areReadings({ ...series('raw'), points: [[1, 2, 2, 2]] }), true);
  t.equal(areReadings({ ...series('hour'), points: [[1, 2, 2, 2]] }), false);
  t.end();
});
