import t from 'tap';
import { FakeLower } from '../fake/lower.js';
import { FakeUpper, type UpperTrouble } from '../fake/upper.js';
import { numberedEvents, numberOf, startRelay } from './relay.js';

/** What the log says of each, and how many connections the test sees. */
const FLOODED = 120_000;
const HOSTILE: readonly (readonly [
  name: string,
  trouble: UpperTrouble,
  cause: string,
  said: RegExp,
])[] = [
  [
    'garbage',
    'garbage',
    'babble',
    /^the server sends what is no answer: more than 1 MiB since its last answer$/,
  ],
  ['answers', 'answers', 'babble', /^the server answers what was not asked$/],
  ['deaf', 'deaf', 'silence', /^no answer in time \(SEND\)$/],
  ['mute', 'mute', 'silence', /^no answer in time \(SEND\)$/],
  ['silent', 'silent', 'silence', /^no answer in time \(greeting\)$/],
];

const MEGABYTE = 2 ** 20;
/** A process takes 50 to 90 MB here; a gigabyte or a journal kept in memory would show. */
const MOST = 200 * MEGABYTE;
const COUNT = 40_000;
const BATCH = 2000;

await t.test(
  'a flood, a deaf and a mute server: memory stays flat, others are served',
  async (t) => {
    const lower = await FakeLower.start({ kind: 'vscpd-15' });
    t.teardown(() => lower.close());
    const healthy = await FakeUpper.start();
    t.teardown(() => healthy.close());
    const hostile = await Promise.all(HOSTILE.map(([, trouble]) => FakeUpper.start({ trouble })));
    t.teardown(() => Promise.all(hostile.map((upper) => upper.close())));
    const relay = await startRelay(t, {
      lowers: [{ name: 'plant', port: lower.port }],
      uppers: [
        { name: 'healthy', port: healthy.port, window: 500 },
        ...HOSTILE.map(([name], i) => ({ name, port: hostile[i]!.port, window: 100_000 })),
      ],
    });
    let most = 0;
    const watch = (): void => {
      for (const { memory = 0 } of relay.supervisor()?.processes ?? [])
        most = Math.max(most, memory);
    };
    await lower.untilLoop();
    // More than sockets hold, so that the deaf one's connection is full.
    for (let sent = 0; sent < COUNT; sent += BATCH) {
      lower.send(numberedEvents(sent + 1, sent + BATCH));
      await relay.until(
        () => {
          watch();
          return healthy.accepted.length >= sent + BATCH;
        },
        `the healthy upper has ${sent + BATCH}`,
      );
    }
    for (const [name, , cause, said] of HOSTILE) {
      await relay.until(
        () => {
          watch();
          const link = relay.supervisor()?.uppers.find((upper) => upper.name === name);
          return link !== undefined && link.connections >= 3 && link.cause === cause;
          // Two silences of 10 s, while floods take the processor: a guard against hanging only.
        },
        `${name} is ended for ${cause} and tried again`,
        FLOODED,
      );
      const from = `upper ${name}`;
      const line = relay.logged((one) => one.from === from && one.event === cause);
      t.match(line?.msg, said, `${name}: a clear line`);
      t.notMatch(line?.msg, /[^\x20-\x7e]/, 'in printable characters');
    }
    // By now each flood could have poured many times what a process may hold.
    const [garbage, answers] = hostile;
    for (const upper of [garbage!, answers!]) {
      for (const { poured } of upper.connections) t.ok(poured < 64 * MEGABYTE, 'and was cut off');
    }
    t.ok(most > 20 * MEGABYTE, 'memory was seen');
    t.ok(most < MOST, `at most ${Math.round(most / MEGABYTE)} MB`);
    t.strictSame(
      healthy.sends.map(numberOf),
      Array.from({ length: COUNT }, (_, i) => i + 1),
      'the healthy upper has all, once each, in order',
    );
    t.equal(healthy.connections.length, 1);
    t.ok(relay.upper('garbage')!.discarded > 0, 'what was discarded is counted');
    t.ok(relay.upper('answers')!.stray > 0);
    t.equal(relay.upper('mute')!.answered, 0);
    t.equal(relay.upper('deaf')!.answered, 0);
    const plant = relay.gate()!.sources['plant']!;
    t.strictSame([plant.in, plant.permitted, plant.lost], [COUNT, COUNT, {}]);
    t.equal(lower.connections.length, 1, 'below nothing is noticed');
    t.equal(await relay.stop(), 0);
  },
);
