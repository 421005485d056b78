import t from 'tap';
import { buildLogin } from '../../src/link/login.js';
import { sum } from '../../src/wire/status.js';
import { FakeLower } from '../fake/lower.js';
import { FakeUpper } from '../fake/upper.js';
import { startRelay } from './relay.js';

const GUID = 'FF:FF:FF:FF:FF:FF:FF:FE:B8:27:EB:10:01:02:00:01';
const FILTER = '0,10,6,00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00';
const MASK = '0,65535,65535,00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00';

await t.test(
  'a lower server that breaks off again and again gets its login, and nothing else',
  async (t) => {
    const upper = await FakeUpper.start({});
    const lower = await FakeLower.start({ kind: 'vscpd-14' });
    t.teardown(() => Promise.all([upper.close(), lower.close()]));
    const relay = await startRelay(t, {
      lowers: [{ name: 'plant', port: lower.port, filter: FILTER, mask: MASK }],
      uppers: [{ name: 'portal', port: upper.port, window: 20 }],
    });
    const outages = 8;
    const expected: string[] = [];
    for (let n = 1; n <= outages; n++) {
      await lower.untilLoop(n);
      for (let i = 0; i < 50; i++) {
        expected.push(String(n * 1000 + i));
        lower.send(`0,10,6,0,,${n * 1000 + i},${GUID},1`);
        lower.send(`0,20,3,0,,${n * 1000 + i},${GUID},1`); // the server's own filter takes these
      }
      await relay.until(
        () => upper.accepted.length === expected.length,
        `outage ${n}: all arrives`,
      );
      lower.dropAll(n % 2 === 0 ? 'reset' : 'fin');
    }
    t.same(
      upper.accepted.map((line) => line.split(',')[5]),
      expected,
    );
    await lower.untilLoop(outages + 1);
    const script = buildLogin({ user: 'admin', password: 'secret', filter: FILTER, mask: MASK });
    for (const { received, afterLoop } of lower.connections) {
      t.equal(received.toString(), script.bytes.toString(), 'the filter too, every time');
      t.equal(afterLoop, 0);
    }
    const valves = relay.supervisor()!.processes.filter((known) => known.process === 'valve');
    t.ok(valves.length <= 1, 'never two valves for one lower server');
    await relay.stop();
  },
);

await t.test(
  'any process may be killed: it comes back, the sums hold, nothing wrong goes out',
  async (t) => {
    const upper = await FakeUpper.start({});
    const lower = await FakeLower.start({ kind: 'vscpd-15' });
    t.teardown(() => Promise.all([upper.close(), lower.close()]));
    const relay = await startRelay(t, {
      lowers: [{ name: 'plant', port: lower.port }],
      uppers: [{ name: 'portal', port: upper.port, window: 10 }],
    });
    await lower.untilLoop();
    let sent = 0;
    const feed = setInterval(() => {
      for (let i = 0; i < 5; i++) lower.send(`0,10,6,0,,${++sent},${GUID},1`);
    }, 5);
    t.teardown(() => clearInterval(feed));
    for (const role of ['valve', 'gate', 'upper', 'lower', 'dial', 'gate', 'valve', 'upper']) {
      const arrived = upper.accepted.length;
      await relay.until(() => relay.pid(role) !== undefined, `${role} runs`);
      const pid = relay.pid(role)!;
      process.kill(pid, 'SIGKILL');
      // A dialling process is started anew only when its connection has ended.
      if (role === 'lower') lower.dropAll('fin');
      if (role === 'dial') upper.dropAll('reset');
      await relay.until(
        () => ![undefined, pid].includes(relay.pid(role)),
        `${role} is started anew`,
      );
      await relay.until(
        () => upper.accepted.length > arrived + 20,
        `events flow after ${role} died`,
      );
    }
    clearInterval(feed);
    lower.send(`0,10,6,0,,${++sent},${GUID},1`);
    const isLast = (line: string): boolean => Number(line.split(',')[5]) === sent;
    await relay.until(() => upper.accepted.some(isLast), 'the last one is above');
    const since = Date.now();
    await relay.until(() => {
      const plant = relay.gate()?.sources['plant'];
      const done = relay.upper('portal');
      const journalled = relay.gate()?.channels[0]?.journalled;
      if (!plant || !done || relay.gate()!.time <= since) return false;
      return done.answered + done.refused === journalled;
    }, 'everything journalled is answered');
    const plant = relay.gate()!.sources['plant']!;
    t.equal(plant.in, plant.permitted + plant.denied + sum(plant.malformed) + sum(plant.lost));
    t.ok(
      Object.keys(plant.lost).every((reason) => ['restart', 'torn', 'audit'].includes(reason)),
      'reasons',
    );
    const numbers = upper.accepted.map((line) => Number(line.split(',')[5]));
    const seen = new Set(numbers);
    t.equal(seen.size, plant.permitted, 'each permitted event is there');
    t.ok(Math.max(...numbers) <= sent);
    const firsts = [...seen];
    t.same(
      firsts,
      firsts.toSorted((a, b) => a - b),
      'in order, but for what was sent again',
    );
    await relay.stop();
  },
);
