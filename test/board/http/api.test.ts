import { Ajv2020 } from 'ajv/dist/2020.js';
import { gunzipSync } from 'node:zlib';
import t from 'tap';
import { PROBLEM_CODES } from '../../../src/board/http/problem.js';
import { fakeSensor, FakeView, NOON } from '../fake.js';
import { eventually, Served } from './served.js';

const HOSTILE = 'a"b\\c\r\nSet-Cookie: x=1\r\n\r\n<script>alert(1)</script>\u2028\ud800\u0000=1+1';

interface Answer {
  readonly description: string;
  readonly content?: Readonly<Record<string, { schema: object }>>;
}
interface Page {
  readonly events: readonly { readonly id: number }[];
  readonly next: number;
  readonly gap: boolean;
}
interface Description {
  readonly openapi: string;
  readonly paths: Readonly<
    Record<string, { get: { parameters: object[]; responses: Record<string, Answer> } }>
  >;
  readonly components: { readonly schemas: Readonly<Record<string, object>> };
}

/** A board on which everything is to be seen. */
function fullView(): FakeView {
  const view = FakeView.of(3);
  view.zones = [
    { id: 'hall', name: 'Hall' },
    { id: 'yard', name: HOSTILE, position: { x: 1, y: 99.5 } },
  ];
  view.show(fakeSensor(9, { name: HOSTILE, place: HOSTILE, position: { x: 5, y: 5 } }), NaN, 0);
  view.raise({ name: HOSTILE });
  view.setRelay({
    state: 'live',
    name: HOSTILE,
    beacon: NOON,
    silent: [{ name: 'plant-a', since: NOON }],
  });
  return view;
}

function fill(served: Served): void {
  for (let i = 0; i < 50; i++) served.history.add(fakeSensor().id, NOON + i * 60_000, i);
  served.history.addEvent(HOSTILE, NOON);
}

await t.test('every path of the description answers as it says', async (t) => {
  const served = await Served.start(t, {}, fullView());
  fill(served);
  const description = (await served.json('/api/v1/openapi.json')) as Description;
  t.equal(description.openapi, '3.1.0');
  const ajv = new Ajv2020({ strict: false, formats: { 'date-time': true } });
  ajv.addSchema(description, 'api');
  const check = (path: string, { status, headers, text }: Awaited<ReturnType<Served['ask']>>) => {
    const answer = description.paths[path]!.get.responses[String(status)];
    t.ok(answer, `${path}: ${status}`);
    const type = headers['content-type']!.replace(/;.*/, '');
    const schema = answer!.content![type]!.schema;
    if (type !== 'application/json') return;
    const valid = ajv.compile(
      JSON.parse(JSON.stringify(schema).replace('"#/', '"api#/')) as object,
    );
    t.ok(valid(JSON.parse(text)), `${path}: ${status}`, { found: ajv.errorsText(valid.errors) });
  };
  for (const path of Object.keys(description.paths)) {
    const real = path.replace('{id}', fakeSensor().id);
    const from = new Date(NOON).toISOString();
    const range = /series|csv/.test(path) ? `?from=${from}&to=2026-03-02` : '';
    if (path.endsWith('stream')) continue;
    const good = await served.ask(real + range);
    t.equal(good.status, 200, real);
    check(path, good);
    const bad = await served.ask(`${real}?x=1`);
    t.equal(bad.status, 400);
    check(path, bad);
    const { status } = await served.ask(real + range, { headers: { 'If-None-Match': '*' } });
    t.equal(status, path.endsWith('csv') ? 200 : 304);
    if (!path.includes('{id}')) continue;
    const none = await served.ask(path.replace('{id}', 'none'));
    t.equal(none.status, 404);
    check(path, none);
    served.history.trouble = new Error('/secret');
    const failed = await served.ask(`${real}${range.replace('03-02', '03-03')}`);
    if (range) t.equal(failed.status, 503);
    t.notMatch(failed.text, /secret/);
    check(path, failed);
    served.history.trouble = undefined;
  }
  const odd = (await served.json(`/api/v1/sensors/${fakeSensor(9).id}`)) as Record<string, unknown>;
  t.equal(odd['time'], null);
  t.equal(odd['value'], null);
  t.equal(odd['name'], HOSTILE, 'as it is: JSON escapes it');
  const error = ajv.compile({ $ref: 'api#/components/schemas/Error' });
  for (const code of PROBLEM_CODES) t.ok(error({ error: { code, message: '' } }));
  t.notOk(error({ error: { code: 'x', message: '' } }), 'the description is a strict one');
});

await t.test('ranges, points and pages have limits that errors name', async (t) => {
  const served = await Served.start(t, { points: 100, events: 10, rows: 50 });
  const id = `/api/v1/sensors/${fakeSensor().id}`;
  for (const [path, says] of [
    [`${id}/series?points=101`, "points is '101': give a whole number from 1 to 100"],
    [`${id}/series?points=0`, 'from 1 to 100'],
    [`${id}/series?points=NaN`, 'from 1 to 100'],
    [`${id}/series?resolution=minute`, 'give one of raw, hour, day'],
    [`${id}/series?from=2026-03-02&to=2026-03-01`, 'from is after to'],
    [`${id}/series?from=x`, 'as 2026-03-01T12:00:00Z'],
    [`${id}/series?from=1&from=2`, 'from is given twice'],
    [`${id}/readings.csv?limit=51`, 'from 1 to 50'],
    [`${id}/readings.csv?from=99999999999999999`, 'give a time from 1970 to 9999'],
    ['/api/v1/events?limit=11', 'from 1 to 10'],
    ['/api/v1/events?since=-1', 'from 0 to 9007199254740991'],
    ['/api/v1/sensors?x', "unknown parameter 'x': there are none here"],
    [`/api/v1/stream?${'x'.repeat(3000)}`, 'unknown parameter'],
  ] as const) {
    const { status, text } = await served.ask(path);
    t.equal(status, 400, path);
    t.match(JSON.parse(text), { error: { code: 'bad_parameter', message: says } });
    t.ok(text.length < 300);
  }
  t.same(served.history.asked, { series: 0, readings: 0, events: 0 });
});

await t.test('a series is asked for once, however many want it', async (t) => {
  const served = await Served.start(t);
  fill(served);
  const path = `/api/v1/sensors/${fakeSensor().id}/series?from=${NOON}&to=${NOON + 3_600_000}`;
  let open: (() => void) | undefined;
  served.history.gate = new Promise((resolve) => (open = resolve));
  const all = Array.from({ length: 30 }, () => served.json(path));
  await eventually(() => served.history.asked.series === 1 && served.counters.requests === 30);
  open!();
  for (const each of await Promise.all(all)) t.same(each, await all[0]);
  t.equal(served.history.asked.series, 1);
  t.match(await all[0], { sensor: fakeSensor().id, resolution: 'raw', points: [[NOON, 0, 0, 0]] });
  const now = await served.ask(`/api/v1/sensors/${fakeSensor().id}/series`);
  t.equal(now.headers['cache-control'], 'public, max-age=10');
});

await t.test('a history that never answers, or too late, is not waited for', async (t) => {
  const served = await Served.start(t, { questionPatience: 50, questions: 3 });
  served.history.gate = new Promise(() => undefined);
  const path = `/api/v1/sensors/${fakeSensor().id}/series?from=`;
  const replies = await Promise.all([1, 2, 3, 4, 5].map((from) => served.ask(`${path}${from}`)));
  for (const { status, headers, text } of replies) {
    t.equal(status, 503);
    t.match(text, /busy|history_unavailable/);
    t.match(headers['retry-after'], /^[1-9]\d*$/);
  }
  t.equal(served.history.asked.series, 3, 'no more than it may be asked at once');
  t.equal((await served.ask('/api/v1/sensors')).status, 200, 'the rest goes on');
  const page = await served.ask(`/sensors/${fakeSensor().id}`);
  t.equal(page.status, 200);
  t.match(page.text, 'no series');
});

await t.test('a page of a sensor is of the span that is asked for', async (t) => {
  const served = await Served.start(t, {}, FakeView.of(1));
  const { id } = fakeSensor();
  const now = Date.now();
  served.history.add(id, now - 3 * 86_400_000, 20);
  for (let second = 1; second <= 300; second++) served.history.add(id, now - second * 1000, 20);
  const points = async (query: string): Promise<number> => {
    const { text } = await served.ask(`/sensors/${id}${query}`);
    return Number(/ (\d+)<\/p>/.exec(text)![1]);
  };
  t.equal(await points('?range=hour'), 150);
  t.equal(await points('?range=week'), 151, 'readings: by the hour they are few');
  t.equal(await points('?range=year'), 151);
  t.equal(await points(''), 150);
  t.equal(await points('?range=%00&other=1'), 150, 'what is not known is passed over');
});

await t.test('what is the same for all is made once, and compressed once', async (t) => {
  const served = await Served.start(t, { refresh: 60_000 }, FakeView.of(200));
  const pages = await Promise.all(Array.from({ length: 50 }, () => served.ask('/')));
  t.equal(served.pages.made, 1);
  t.equal(new Set(pages.map(({ headers }) => headers.etag)).size, 1);
  const plain = await served.ask('/api/v1/sensors');
  const packed = await served.ask('/api/v1/sensors', {
    headers: { 'Accept-Encoding': 'br, gzip' },
  });
  t.equal(packed.headers['content-encoding'], 'gzip');
  t.equal(packed.headers.vary, 'Accept-Encoding');
  t.equal(plain.headers.vary, 'Accept-Encoding');
  t.equal(packed.headers.etag, plain.headers.etag);
  t.same(gunzipSync(packed.bytes), plain.bytes);
  t.ok(packed.bytes.length * 5 < plain.bytes.length);
  for (const [accept, encoding] of [
    ['gzip;q=0', undefined],
    ['identity', undefined],
    ['*', 'gzip'],
    ['*;q=0', undefined],
    ['GZIP ; q=0.5', 'gzip'],
    ['gzip;q=x', undefined],
    [',;,=;q', undefined],
  ] as const) {
    const { headers } = await served.ask('/api/v1/sensors', {
      headers: { 'Accept-Encoding': accept },
    });
    t.equal(headers['content-encoding'], encoding, accept);
  }
});

await t.test('what is known is not sent again', async (t) => {
  const served = await Served.start(t, { refresh: 60_000 });
  const { headers, text } = await served.ask('/api/v1/sensors');
  const etag = headers.etag!;
  t.match(etag, /^W\/"[\w-]{22}"$/);
  for (const [known, status] of [
    [etag, 304],
    [etag.slice(2), 304],
    [`"a", W/"b" , ${etag}`, 304],
    ['*', 304],
    ['"a", "b"', 200],
    ['', 200],
    [etag.slice(0, -2), 200],
    [',,,,', 200],
  ] as const) {
    const reply = await served.ask('/api/v1/sensors', { headers: { 'If-None-Match': known } });
    t.equal(reply.status, status, known);
    t.equal(reply.headers.etag, etag);
    t.equal(reply.headers['cache-control'], 'public, max-age=1');
    t.equal(reply.text, status === 304 ? '' : text);
  }
});

await t.test('when an answer was made makes it no other one', async (t) => {
  const served = await Served.start(t, { refresh: 10 });
  for (const path of ['/', '/api/v1/sensors']) {
    const first = await served.ask(path);
    const known = { headers: { 'If-None-Match': first.headers.etag! } };
    await eventually(() => Date.now() > Date.parse(first.headers.date!) + 2000);
    t.equal((await served.ask(path, known)).status, 304, path);
    const later = await served.ask(path);
    t.not(later.text, first.text, 'of another time');
    t.equal(later.headers.etag, first.headers.etag);
    served.view.title += '!';
    await new Promise((resolve) => setTimeout(resolve, 20));
    const changed = await served.ask(path, known);
    t.equal(changed.status, 200);
    t.not(changed.headers.etag, first.headers.etag);
  }
});

await t.test('an export holds all readings, page by page, and no formula', async (t) => {
  const view = new FakeView();
  const sensor = view.show(fakeSensor(0, { name: '=HYPERLINK("x")', place: 'a\r\nb', unit: '-' }));
  const served = await Served.start(t, {}, view);
  for (let i = 0; i < 12_000; i++) served.history.add(sensor.id, NOON + i, -i / 2);
  const path = `/api/v1/sensors/${sensor.id}/readings.csv?from=${NOON}`;
  const { status, headers, text } = await served.ask(path);
  t.equal(status, 200);
  t.equal(headers['content-type'], 'text/csv; charset=utf-8; header=present');
  t.equal(headers['content-disposition'], `attachment; filename="readings-${sensor.id}.csv"`);
  const tail = `,'-,${sensor.id},"'=HYPERLINK(""x"")","a\r\nb"\r\n`;
  const rows = Array.from(
    { length: 12_000 },
    (_, i) => `${new Date(NOON + i).toISOString()},${-i / 2}${tail}`,
  );
  t.ok(text === `time,value,unit,sensor,name,place\r\n${rows.join('')}`);
  t.equal(served.history.asked.readings, 3);
  const part = await served.ask(`${path}&limit=5&to=${NOON + 100}`);
  t.equal(part.text, `time,value,unit,sensor,name,place\r\n${rows.slice(0, 5).join('')}`);
  const none = await served.ask(path.replace(/=\d+/, '=2026-05-01&to=2026-05-02'));
  t.equal(none.text, 'time,value,unit,sensor,name,place\r\n');
  await eventually(() => served.counters.exports === 0);
});

await t.test('an export breaks off where the history does, and ends with its reader', async (t) => {
  const served = await Served.start(t, { exports: 2, exportsPerAddress: 1 });
  const { id } = fakeSensor();
  for (let i = 0; i < 6000; i++) served.history.add(id, NOON + i, i);
  const path = `/api/v1/sensors/${id}/readings.csv?from=${NOON}`;
  const readings = served.history.readings.bind(served.history);
  served.history.readings = async (...asked) => {
    if (served.history.asked.readings > 0) throw new Error('gone');
    return readings(...asked);
  };
  await t.rejects(served.ask(path), /aborted|hang up/);
  // One that does not read: it waits, and nobody of its address exports meanwhile.
  served.history.readings = (sensor, from) =>
    Promise.resolve(Array.from({ length: 5000 }, (_, i) => ({ sensor, time: from + i, value: i })));
  const lines = [];
  for (const from of ['127.0.0.1', '127.0.0.2']) {
    const line = await served.dial(from);
    line.socket.pause();
    line.socket.write(`GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`);
    lines.push(line);
  }
  await eventually(() => served.counters.exports === 2);
  const own = await served.ask(path);
  t.equal(own.status, 429);
  t.match(own.text, 'too_many_exports');
  t.equal((await served.ask(path, { from: '127.0.0.3' })).status, 503);
  for (const { socket } of lines) socket.destroy();
  await eventually(() => served.counters.exports === 0);
  const { socket } = await served.dial();
  t.equal((await served.ask(`${path}&limit=10`)).text.split('\r\n').length, 12);
  socket.destroy();
});

await t.test('events come in pages, and say what is gone', async (t) => {
  const served = await Served.start(t);
  for (let i = 0; i < 25; i++) served.history.addEvent(`event ${i}`, NOON + i);
  served.history.forget(5);
  const seen: number[] = [];
  let next = 0;
  for (;;) {
    const path = `/api/v1/events?since=${next}&limit=10`;
    const page = (await served.json(path)) as Page;
    t.equal(page.gap, next === 0);
    if (page.events.length === 0) break;
    seen.push(...page.events.map(({ id }) => id));
    ({ next } = page);
  }
  t.same(
    seen,
    Array.from({ length: 20 }, (_, i) => i + 6),
  );
});
