import t from 'tap';
import { FakeLower, type LowerOptions } from '../fake/lower.js';
import { FakeUpper } from '../fake/upper.js';
import { startRelay } from './relay.js';

const GUID = 'FF:FF:FF:FF:FF:FF:FF:FE:B8:27:EB:10:01:02:00:01';

const TROUBLES: Readonly<Record<string, [LowerOptions['trouble'], RegExp]>> = {
  silent: ['silent', /no answer in time to the greeting/],
  http: ['http', /no answer in time|no VSCP server/],
  garbage: ['garbage', /no VSCP server|no answer in time/],
  endless: ['endless', /no VSCP server|no answer in time/],
  login: ['refuse-login', /was refused/],
  loop: ['refuse-loop', /the connection ended/],
  password: ['no-answer-to-pass', /no answer in time to PASS/],
  closing: [{ closeAfter: 40 }, /closed the connection|ECONNRESET/],
};

await t.test(
  'lower servers in every kind of trouble: each says why, and one in good health goes on',
  async (t) => {
    const upper = await FakeUpper.start({});
    t.teardown(() => upper.close());
    const healthy = await FakeLower.start({ kind: 'vscpd-14' });
    const troubled = await Promise.all(
      Object.entries(TROUBLES).map(
        async ([name, [trouble]]) =>
          [name, await FakeLower.start({ kind: 'vscpd-15', trouble })] as const,
      ),
    );
    t.teardown(() =>
      Promise.all([healthy, ...troubled.map(([, lower]) => lower)].map((l) => l.close())),
    );
    const relay = await startRelay(t, {
      lowers: [
        { name: 'healthy', port: healthy.port },
        ...troubled.map(([name, lower]) => ({ name, port: lower.port })),
      ],
      uppers: [{ name: 'portal', port: upper.port, window: 50 }],
    });
    await healthy.untilLoop();
    let sent = 0;
    const feed = setInterval(() => {
      healthy.send(`0,10,6,0,,${++sent},${GUID},1`);
    }, 5);
    t.teardown(() => clearInterval(feed));
    for (const [name, [, words]] of Object.entries(TROUBLES)) {
      await relay.until(
        () =>
          relay.logged(
            (line) =>
              words.test(line.msg) &&
              (line.from === `lower ${name}` || line['link'] === `lower ${name}`),
          ) !== undefined,
        `a line that says why ${name} is in trouble`,
      );
    }
    clearInterval(feed);
    await relay.until(() => upper.accepted.length === sent, 'all of the healthy one arrives');
    t.equal(upper.sends.length, sent, 'and nothing else');
    for (const line of relay.log) t.notMatch(JSON.stringify(line), /\\u001b|\\u0000/);

    // Trouble over: every link but the refused ones, which wait for a person, comes up by itself.
    for (const [, lower] of troubled) lower.trouble = undefined;
    const back = troubled.map(([name]) => name).filter((name) => !['login', 'loop'].includes(name));
    await relay.untilUp(back);
    await relay.stop();
  },
);
