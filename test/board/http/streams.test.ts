import t from 'tap';
import { fakeSensor, FakeView, NOON } from '../fake.js';
import { eventually, type Line, Served } from './served.js';

const { id } = fakeSensor();
const QUICK = { refresh: 20 };

interface Changes {
  readonly revision: number;
  readonly sensors: readonly {
    readonly id: string;
    readonly value: number;
    readonly name: string;
  }[];
}
const changesOf = (line: Line): Changes[] =>
  line
    .events()
    .filter(({ event }) => event === 'sensors')
    .map(({ data }) => data as unknown as Changes);
/** What a page that takes every event in order would show. */
const shownBy = (line: Line): Map<string, number> =>
  new Map(changesOf(line).flatMap(({ sensors }) => sensors.map((each) => [each.id, each.value])));

await t.test('a stream begins with all there is, and goes on with what changes', async (t) => {
  const served = await Served.start(t, QUICK);
  const { view } = served;
  const line = await served.stream();
  await line.until('"edition":"first"');
  t.match(line.text, /^HTTP\/1\.1 200 OK\r\n/);
  t.match(line.text, '\r\nContent-Type: text/event-stream; charset=utf-8\r\n');
  t.match(line.text, '\r\nCache-Control: no-store\r\n');
  t.match(line.text, '\r\n\r\nretry: 3000\n\n');
  t.same(
    line.events().map(({ event }) => event),
    ['sensors', 'alarms', 'relay', 'edition'],
  );
  t.equal(changesOf(line)[0]!.sensors.length, 3);
  view.read(id, 25.5, NOON + 5000);
  await line.until('"value":25.5');
  const [, second] = changesOf(line);
  t.match(second, { revision: view.revision, sensors: [{ id, value: 25.5 }] });
  t.match(second, { time: /^\d{4}-.*Z$/ }, 'by which an open page sets its clock');
  t.equal(second!.sensors.length, 1, 'those that changed alone');
  t.match(line.text, `"time":"${new Date(NOON + 5000).toISOString()}"`);
  view.raise({ name: 'Fire' });
  await line.until('"name":"Fire"');
  view.setRelay({ state: 'live', beacon: NOON });
  await line.until('"state":"live"');
  view.edition = 'second';
  await line.until('"edition":"second"');
  t.equal(served.counters.streams, 1);
  line.socket.destroy();
  await eventually(() => served.counters.streams === 0);
});

await t.test('who comes back is told what changed meanwhile', async (t) => {
  const served = await Served.start(t, QUICK, FakeView.of(10));
  const { view } = served;
  const first = await served.stream();
  const since = /id: (\S+)/.exec(await first.until('event: relay'))![1]!;
  t.equal(since, `${NOON.toString(36)}-${view.revision}`);
  const { revision } = view;
  view.read(id, 1);
  await first.until('"value":1,');
  for (const line of [
    await served.stream('', `Last-Event-ID: ${since}\r\n`),
    await served.stream(`?since=${revision}`),
    await served.stream(`?since=${view.revision}`, `Last-Event-ID: ${since}\r\n`),
  ]) {
    await line.until('event: relay');
    t.same([...shownBy(line)], [[id, 1]]);
  }
  const known = await served.stream(`?since=${view.revision}`);
  await known.until('event: relay');
  t.same([...shownBy(known)], []);
  t.match(known.text, `id: ${NOON.toString(36)}-${view.revision}\n\n`);
  for (const other of [
    '0',
    '99999',
    '-1',
    'x',
    `${(NOON - 1).toString(36)}-${revision}`,
    '9'.repeat(99),
  ]) {
    const line = await served.stream(`?since=${other}`);
    await line.until('event: relay');
    t.equal(shownBy(line).size, 10, `all, since ${other} is nothing known`);
  }
});

await t.test('all readers end up with what the board shows', async (t) => {
  const served = await Served.start(t, { refresh: 10 }, FakeView.of(50));
  const { view } = served;
  const lines: Line[] = [];
  for (let round = 0; round < 60; round++) {
    for (let i = 0; i < 5; i++) view.read(fakeSensor((round * 7 + i) % 50).id, round * 10 + i);
    if (round % 5 === 0) lines.push(await served.stream());
    const line = lines[round % lines.length]!;
    if (round % 3 === 0) line.socket.pause();
    else line.socket.resume();
    await new Promise((resolve) => setTimeout(resolve, 3));
  }
  for (const { socket } of lines) socket.resume();
  const truth = new Map(view.sensors().map((sensor) => [sensor.id, sensor.value]));
  const same = (line: Line): boolean => {
    const shown = shownBy(line);
    return [...truth].every(([each, value]) => shown.get(each) === value);
  };
  await eventually(() => lines.every(same));
  t.equal(lines.length, 12);
});

await t.test('a name cannot end an event, or begin another', async (t) => {
  const served = await Served.start(t, QUICK, new FakeView());
  const name = 'a\r\n\r\nevent: alarms\ndata: {}\n\n\u2028\ud800';
  served.view.show(fakeSensor(0, { name }));
  const line = await served.stream();
  await line.until('event: edition');
  t.same(
    line.events().map(({ event }) => event),
    ['sensors', 'alarms', 'relay', 'edition'],
  );
  t.equal(changesOf(line)[0]!.sensors[0]!.name, name);
});

await t.test('a stream on which nothing happens has signs of life', async (t) => {
  const served = await Served.start(t, { refresh: 20, signOfLife: 100 });
  const line = await served.stream();
  await line.until(/\n\n:\n\n:\n\n:\n\n/);
  t.equal(line.events().length, 4);
});

await t.test('one that does not read is cut off, and the others go on', async (t) => {
  const view = FakeView.of(200);
  const place = 'x'.repeat(20_000);
  for (let i = 0; i < 200; i++) view.show(fakeSensor(i, { place }), i);
  const served = await Served.start(t, { refresh: 20, streamPatience: 300 }, view);
  const hung = await served.stream();
  hung.socket.pause();
  const good = await served.stream('', '', '127.0.0.2');
  await good.until('event: relay');
  let value = 1000;
  const timer = setInterval(() => view.show(fakeSensor(++value % 200, { place }), value), 5);
  await eventually(() => served.counters.cutStreams === 1);
  clearInterval(timer);
  await eventually(() => served.counters.streams === 1);
  view.read(id, 12.25);
  await good.until('"value":12.25');
  t.equal(served.counters.cutStreams, 1);
});

await t.test('what waits for streams is bounded, for one and for all', async (t) => {
  const view = new FakeView();
  view.show(fakeSensor(0, { place: 'x'.repeat(25_000_000) }));
  const one = await Served.start(t, { refresh: 20, streamBytes: 1_000_000 }, view);
  const hung = await one.stream();
  hung.socket.pause();
  await eventually(() => one.counters.cutStreams === 1);
  const all = await Served.start(
    t,
    { refresh: 20, streamBytes: 40_000_000, streamsBytes: 30_000_000 },
    view,
  );
  const first = await all.stream();
  first.socket.pause();
  await eventually(() => all.counters.streams === 1);
  const second = await all.stream();
  t.match(await second.until('"busy"'), 'HTTP/1.1 503');
  first.socket.destroy();
  await eventually(() => all.counters.streams === 0);
  // What waits is counted anew after a moment.
  await eventually(() => {
    if (all.counters.streams === 0) void all.stream();
    return all.counters.streams > 0;
  });
});

await t.test('streams are bounded, in all and by address', async (t) => {
  const served = await Served.start(t, { streams: 3, streamsPerAddress: 2 });
  const lines = [await served.stream(), await served.stream()];
  for (const line of lines) await line.until('event: relay');
  const own = await served.ask('/api/v1/stream');
  t.equal(own.status, 429);
  t.match(JSON.parse(own.text), { error: { code: 'too_many_streams' } });
  t.match(own.headers['retry-after'], /^\d+$/);
  lines.push(await served.stream('', '', '127.0.0.2'));
  await lines[2]!.until('event: relay');
  t.equal((await served.ask('/api/v1/stream', { from: '127.0.0.3' })).status, 503);
  for (const { socket } of lines) socket.destroy();
  await eventually(() => served.counters.streams === 0);
  const again = await served.stream();
  await again.until('event: relay');
});

await t.test('a view that fails ends no stream', async (t) => {
  const served = await Served.start(t, QUICK);
  const line = await served.stream();
  await line.until('event: relay');
  const sensors = served.view.sensors.bind(served.view);
  served.view.sensors = () => {
    throw new Error('no');
  };
  served.view.read(id, 7.5);
  await eventually(() => served.counters.failed > 0);
  t.equal((await served.ask('/api/v1/stream')).status, 500);
  served.view.sensors = sensors;
  await line.until('"value":7.5');
});

await t.test('a thousand idle streams are open, and answers come as ever', async (t) => {
  const limits = { connectionsPerAddress: 3000, streamsPerAddress: 3000, requestBurst: 100_000 };
  const served = await Served.start(t, { ...limits, refresh: 50 }, FakeView.of(20));
  const lines: Line[] = [];
  for (let i = 0; i < 1000; i += 100) {
    lines.push(...(await Promise.all(Array.from({ length: 100 }, () => served.stream()))));
  }
  await eventually(() => served.counters.streams === 1000);
  t.equal((await served.ask('/api/v1/sensors')).status, 200);
  served.view.read(id, 3.125);
  await eventually(() => lines.every(({ text }) => text.includes('"value":3.125')));
  for (const { socket } of lines) socket.destroy();
  await eventually(() => served.counters.streams === 0 && served.counters.connections === 0);
});
