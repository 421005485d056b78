import fc from 'fast-check';
import t from 'tap';
import { CONTENT_SECURITY_POLICY } from '../../../src/board/http/headers.js';
import { PublicServer } from '../../../src/board/http/server.js';
import { fakeSensor, FakeView, NOON } from '../fake.js';
import { eventually, Served } from './served.js';

interface FuzzedRequest {
  readonly method: string;
  readonly target: string;
  readonly version: string;
  readonly headers: readonly string[];
  readonly hosted: boolean;
  readonly end: string;
}

const { id } = fakeSensor();
const PATHS = [
  '/',
  `/sensors/${id}`,
  '/assets/board.0a1b2c.js',
  '/api/v1/sensors',
  `/api/v1/sensors/${id}`,
  `/api/v1/sensors/${id}/series`,
  `/api/v1/sensors/${id}/readings.csv`,
  '/api/v1/alarms',
  '/api/v1/status',
  '/api/v1/events',
  '/api/v1/stream',
  '/api/v1/openapi.json',
  '/metrics',
  '/healthz',
  '/robots.txt',
  '/favicon.ico',
  '/nothing',
  '/api/v1/nothing',
];
const endless = (path: string): boolean => path.endsWith('stream');
const statusOf = (text: string): number => Number(/^HTTP\/1\.1 (\d{3}) /.exec(text)?.[1]);
/** Of all answers on a connection. */
const statuses = (text: string): string[] =>
  [...text.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map(([, status]) => status!);

await t.test('every answer has the headers that keep its reader safe', async (t) => {
  const served = await Served.start(t);
  for (const path of PATHS) {
    for (const method of ['GET', 'HEAD', 'OPTIONS', 'POST', 'DELETE']) {
      if (endless(path) && method === 'GET') continue;
      const { headers } = await served.ask(path, { method });
      const what = `${method} ${path}`;
      t.equal(headers['content-security-policy'], CONTENT_SECURITY_POLICY, what);
      t.equal(headers['x-content-type-options'], 'nosniff', what);
      t.equal(headers['referrer-policy'], 'no-referrer', what);
      t.equal(headers['cross-origin-opener-policy'], 'same-origin', what);
      t.match(headers['permissions-policy'], 'camera=()', what);
      const api = path.startsWith('/api/');
      t.equal(headers['cross-origin-resource-policy'], api ? 'cross-origin' : 'same-origin', what);
      t.equal(headers['access-control-allow-origin'], api ? '*' : undefined, what);
      for (const none of ['server', 'x-powered-by', 'set-cookie', 'strict-transport-security']) {
        t.equal(headers[none], undefined, `${what}: ${none}`);
      }
    }
  }
});

await t.test('HEAD is answered as GET, without the body', async (t) => {
  const served = await Served.start(t, { refresh: 60_000 });
  const without = (headers: object): object => ({ ...headers, date: '' });
  for (const path of PATHS.filter((each) => !endless(each))) {
    const get = await served.ask(path);
    const head = await served.ask(path, { method: 'HEAD' });
    t.equal(head.status, get.status, path);
    t.equal(head.text, '');
    t.same(
      { ...without(head.headers), 'transfer-encoding': undefined },
      { ...without(get.headers), 'transfer-encoding': undefined },
      path,
    );
  }
  const stream = await served.ask('/api/v1/stream', { method: 'HEAD' });
  t.equal(stream.headers['content-type'], 'text/event-stream; charset=utf-8');
  t.equal(served.counters.streams, 0);
  const both = await served.say(
    `HEAD /api/v1/sensors/${id}/readings.csv HTTP/1.1\r\nHost: x\r\n\r\n` +
      'HEAD / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n',
  );
  t.same(statuses(both), ['200', '200']);
});

await t.test('nothing but GET, HEAD and OPTIONS', async (t) => {
  const served = await Served.start(t);
  for (const method of ['POST', 'PUT', 'DELETE', 'PATCH', 'TRACE', 'PROPFIND', 'SEARCH']) {
    const { status, headers } = await served.ask('/api/v1/sensors', { method });
    t.equal(status, 405, method);
    t.equal(headers.allow, 'GET, HEAD, OPTIONS');
  }
  const { status, headers, text } = await served.ask('/api/v1/sensors', { method: 'OPTIONS' });
  t.equal(status, 204);
  t.equal(text, '');
  t.equal(headers.allow, 'GET, HEAD, OPTIONS');
  t.equal(headers['access-control-allow-methods'], 'GET, HEAD, OPTIONS');
  t.equal(headers['access-control-max-age'], '86400');
  t.equal(
    statusOf(await served.say('OPTIONS * HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')),
    204,
  );
  t.equal(statusOf(await served.say('CONNECT x:25 HTTP/1.1\r\nHost: x\r\n\r\n')), 405);
});

await t.test('a path is what it says: nothing is decoded, no way leads out', async (t) => {
  const served = await Served.start(t);
  for (const path of [
    '/assets/../../package.json',
    '/assets/%2e%2e/%2e%2e/package.json',
    '/assets/..%2f..%2fpackage.json',
    '/assets/..%5c..%5cpackage.json',
    '/assets/%c0%ae%c0%ae/package.json',
    '/assets/board.0a1b2c.js%00.html',
    '/assets/board.0a1b2c.js/',
    '/assets//board.0a1b2c.js',
    '//assets/board.0a1b2c.js',
    '/./',
    '/%2f',
    '/..',
    '/assets/',
    '/assets',
    '/sensors/',
    `/sensors/${id}/`,
    `/sensors/${id}%0d%0aX:y`,
    `/sensors/${'a'.repeat(6000)}`,
    '/sensors/__proto__',
    '/sensors/..',
    '/__proto__',
    '/constructor',
    '/api',
    '/api/',
    '/api/v1',
    '/api/v1/',
    '/api/v1/__proto__',
    '/api/v1/constructor',
    '/api/v1/toString',
    '/API/v1/sensors',
    '/api/v2/sensors',
    '/api/v1/sensors/',
    `/api/v1/sensors/${id}/x`,
    '/api/v1/sensors/../sensors',
  ]) {
    const text = await served.say(`GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`);
    t.equal(statusOf(text), 404, path.slice(0, 80));
    t.notMatch(text, /private|X:y/);
  }
  const absolute = await served.say(
    'GET http://x/api/v1/alarms HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n',
  );
  t.match(absolute, '{"alarms":[]}');
  const upgrade = await served.say(
    'GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, close\r\nUpgrade: websocket\r\n\r\n',
  );
  t.equal(statusOf(upgrade), 200, 'an upgrade is not taken');
  const range = await served.ask('/healthz', { headers: { Range: 'bytes=0-0' } });
  t.equal(range.text, 'ok\n', 'the whole is an answer to a range');
});

await t.test('what is no request is refused, and nothing behind it is read', async (t) => {
  const served = await Served.start(t);
  const tail = 'GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n';
  for (const [what, bytes, status] of [
    ['garbage', '\x16\x03\x01\x02\x00\x01\x00\r\n\r\n', 400],
    ['SSH', 'SSH-2.0-x\r\n', 400],
    ['a VSCP client', 'USER admin\r\nPASS secret\r\n', 400],
    ['HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 400],
    ['no target', 'GET HTTP/1.1\r\nHost: x\r\n\r\n', 400],
    ['no path', 'GET x HTTP/1.1\r\nHost: x\r\n\r\n', 400],
    ['a star', 'GET * HTTP/1.1\r\nHost: x\r\n\r\n', 400],
    ['NUL in a target', 'GET /\0 HTTP/1.1\r\nHost: x\r\n\r\n', 400],
    ['NUL in a header', 'GET / HTTP/1.1\r\nHost: x\r\nA: \0\r\n\r\n', 400],
    ['no host', 'GET / HTTP/1.1\r\n\r\n', 400],
    ['two hosts', 'GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n', 400],
    ['a body', `GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello${tail}`, 413],
    ['a huge body', 'GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\nx', 413],
    [
      'chunks',
      `GET / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${tail}`,
      413,
    ],
    [
      'both lengths',
      `GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${tail}`,
      400,
    ],
    [
      'two lengths',
      `GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nContent-Length: 5\r\n\r\n${tail}`,
      400,
    ],
    ['a signed length', `GET / HTTP/1.1\r\nHost: x\r\nContent-Length: +5\r\n\r\nhello${tail}`, 400],
    [
      'an obscured coding',
      `GET / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: xchunked\r\n\r\n${tail}`,
      413,
    ],
    [
      'a space before a colon',
      `GET / HTTP/1.1\r\nHost: x\r\nContent-Length : 5\r\n\r\nhello${tail}`,
      400,
    ],
    [
      'a folded header',
      `GET / HTTP/1.1\r\nHost: x\r\nA: b\r\n\tContent-Length: 5\r\n\r\n${tail}`,
      undefined,
    ],
    ['bare LF', `GET / HTTP/1.1\nHost: x\n\n${tail}`, undefined],
    [
      'POST with a body',
      `POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello${tail}`,
      405,
    ],
    [
      'an expectation',
      'GET /healthz HTTP/1.1\r\nHost: x\r\nExpect: 200-ok\r\nConnection: close\r\n\r\n',
      417,
    ],
    [
      'a body that waits to be asked for',
      'GET / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n',
      413,
    ],
    ['too long a line', `GET /${'a'.repeat(9000)} HTTP/1.1\r\nHost: x\r\n\r\n`, 431],
    ['too long a header', `GET / HTTP/1.1\r\nHost: x\r\nA: ${'a'.repeat(9000)}\r\n\r\n`, 431],
    ['too many headers', `GET / HTTP/1.1\r\nHost: x\r\n${'A: b\r\n'.repeat(3000)}\r\n`, 431],
    ['an endless header', `GET / HTTP/1.1\r\nA: ${'a'.repeat(3_000_000)}`, 431],
  ] as const) {
    const text = await served.say(bytes);
    if (status === undefined)
      t.ok(
        statuses(text).every((each) => /200|400/.test(each)),
        what,
      );
    else t.same(statuses(text), [String(status)], what);
    if (text === '') continue;
    t.match(text, 'X-Content-Type-Options: nosniff', what);
    t.notMatch(text, /100 Continue/, what);
  }
  t.equal((await served.ask('/healthz')).status, 200);
  await eventually(() => served.counters.connections === 0);
});

await t.test('whatever is said, the server answers as HTTP or not at all, and lives', async (t) => {
  const served = await Served.start(t, {
    requestBurst: 1_000_000,
    headersTimeout: 150,
    idleTimeout: 100,
  });
  const any = <T extends string>(...good: T[]) =>
    fc.oneof({ weight: 9, arbitrary: fc.constantFrom(...good) }, fc.string({ maxLength: 9 }));
  const request = fc.record({
    method: any('GET', 'GET', 'HEAD', 'OPTIONS', 'POST', 'CONNECT', 'get'),
    target: any(
      '/',
      '/healthz',
      '/api/v1/sensors',
      '/api/v1/events?since=1',
      '*',
      '/%00',
      'http://x',
    ),
    version: any('HTTP/1.1', 'HTTP/1.1', 'HTTP/1.0', 'HTTP/9.9'),
    headers: fc.array(
      any(
        ...['Host: x', 'Host: y', 'Content-Length: 0', 'Content-Length: 3', 'Range: bytes=0-'],
        ...['Transfer-Encoding: chunked', 'Connection: close', 'If-None-Match: *', 'Upgrade: h2c'],
        ...['Expect: 100-continue', 'A:\0', 'A: \x80\xff', ' folded', `A: ${'a'.repeat(5000)}`],
        ...['Accept-Encoding: gzip', 'Connection: upgrade', 'Content-Length: 1e3'],
      ),
      { maxLength: 4 },
    ),
    hosted: fc.boolean(),
    end: any('\r\n\r\n', '\r\n\r\n', '\n\n', '\r\n', '\r\n\r\n3\r\nabc\r\n0\r\n\r\n', ''),
  });
  const write = ({ method, target, version, headers, hosted, end }: FuzzedRequest): string =>
    [`${method} ${target} ${version}`, ...(hosted ? ['Host: x'] : []), ...headers].join('\r\n') +
    end;
  const word = request.map(write);
  const talk = fc.array(word, { maxLength: 3 }).map((parts) => parts.join(''));
  const last = 'GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n';
  await fc.assert(
    fc.asyncProperty(fc.array(talk, { minLength: 20, maxLength: 20 }), async (talks) => {
      const all = talks.map((each) => served.say(Buffer.from(each + last, 'latin1')));
      const texts = await Promise.all(all);
      return texts.every((text) => text === '' || /^HTTP\/1\.1 (2\d\d|304|4\d\d) /.test(text));
    }),
    { numRuns: 10 },
  );
  t.equal(served.counters.failed, 0);
  t.ok(served.counters.answered > 20 && served.counters.refused > 20, 'it was both');
  await eventually(() => served.counters.connections === 0);
});

await t.test('pipelined requests are answered in order', async (t) => {
  const served = await Served.start(t);
  served.history.gate = new Promise((resolve) => setTimeout(resolve, 20));
  const line = await served.dial();
  const get = (path: string, more = ''): string => `GET ${path} HTTP/1.1\r\nHost: x\r\n${more}\r\n`;
  const all = [
    get('/api/v1/events'),
    get('/healthz'),
    get('/x'),
    get('/', 'Connection: close\r\n'),
  ];
  for (const byte of all.join('')) line.socket.write(byte);
  t.same(statuses(await line.all()), ['200', '200', '404', '200']);
  served.history.gate = new Promise((resolve) => setTimeout(resolve, 20));
  const broken = await served.say(`${get('/api/v1/events?since=5')}garbage\r\n\r\n`);
  t.ok(statuses(broken).length <= 1, 'garbage behind a request that is not answered yet');
  const stream = await served.say(`${get('/api/v1/stream')}${get('/healthz')}`);
  t.ok(statuses(stream).length <= 1, 'nothing comes behind a stream');
  served.history.gate = new Promise((resolve) => setTimeout(resolve, 20));
  const late = await served.say(
    `${get('/api/v1/events?since=6')}${get('/api/v1/stream')}${get('/healthz', 'Connection: close\r\n')}`,
  );
  t.same(statuses(late), ['200', '400', '200']);
  await eventually(() => served.counters.connections === 0 && served.counters.streams === 0);
});

await t.test('one that is slow is not waited for', async (t) => {
  const limits = { headersTimeout: 300, requestTimeout: 400, idleTimeout: 200 };
  const served = await Served.start(t, limits);
  const silent = await served.dial();
  const slow = await served.dial();
  const idle = await served.dial();
  idle.socket.write('GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n');
  slow.socket.write('GET / HTTP/1.1\r\nHost: x\r\n');
  const drip = setInterval(() => slow.socket.write('A: b\r\n'), 20);
  t.match(await slow.all(), /^HTTP\/1\.1 408 /);
  clearInterval(drip);
  t.match(await silent.all(), /^(HTTP\/1\.1 408 |$)/);
  t.match(await idle.all(), /ok\n$/);
  await eventually(() => served.counters.connections === 0);
});

await t.test('one that does not take its answer is cut off', async (t) => {
  const served = await Served.start(t, { answerTimeout: 300, refresh: 50 }, FakeView.of(1));
  served.pages.assets.set('/unused', { type: 'x', bytes: Buffer.alloc(0) });
  const view = served.view;
  view.title = 'x'.repeat(20_000_000);
  const line = await served.dial();
  line.socket.pause();
  line.socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
  await eventually(() => served.counters.requests === 1);
  await eventually(() => served.counters.connections === 0);
  line.socket.destroy();
  // A page that is never done.
  served.history.gate = new Promise(() => undefined);
  const waiting = await served.dial();
  waiting.socket.write('GET /api/v1/events HTTP/1.1\r\nHost: x\r\n\r\n');
  await waiting.all();
  await eventually(() => served.counters.connections === 0);
});

await t.test('connections are bounded, in all and by address', async (t) => {
  const served = await Served.start(t, { connections: 6, connectionsPerAddress: 3 });
  const first = await Promise.all(
    ['1', '1', '1', '2', '2'].map((n) => served.dial(`127.0.0.${n}`)),
  );
  await eventually(() => served.counters.connections === 5);
  const fourth = await served.dial('127.0.0.1');
  t.equal(await fourth.all(), '', 'one address has its share');
  t.equal((await served.ask('/healthz', { from: '127.0.0.3' })).status, 200, 'others are served');
  await eventually(() => served.counters.connections === 5);
  const sixth = await served.dial('127.0.0.3');
  await eventually(() => served.counters.connections === 6);
  const seventh = await served.dial('127.0.0.4');
  t.equal(await seventh.all(), '');
  t.equal(served.counters.turnedAway, 2);
  for (const { socket } of [...first, sixth]) socket.destroy();
  await eventually(() => served.counters.connections === 0);
  t.equal((await served.ask('/healthz')).status, 200);
});

await t.test('requests of an address have a rate', async (t) => {
  const served = await Served.start(t, { requestsPerSecond: 1, requestBurst: 5 });
  const replies = [];
  for (let i = 0; i < 8; i++) replies.push(await served.ask('/api/v1/alarms'));
  t.same(
    replies.slice(0, 5).map(({ status }) => status),
    [200, 200, 200, 200, 200],
  );
  const { status, headers, text } = replies[7]!;
  t.equal(status, 429);
  t.match(headers['retry-after'], /^[12]$/);
  t.match(JSON.parse(text), { error: { code: 'too_many_requests' } });
  t.match((await served.ask('/')).text, '<h1>429</h1>', 'as a page where people are');
  t.equal((await served.ask('/healthz', { from: '127.0.0.2' })).status, 200);
  const flood = 'GET / HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(2000);
  const line = await served.dial('127.0.0.3');
  line.socket.write(flood);
  await eventually(() => served.counters.limited > 900 || line.closed);
  line.socket.destroy();
  t.ok(served.pages.made <= 5);
});

await t.test('pages that fail are said to have failed', async (t) => {
  const served = await Served.start(t);
  served.pages.trouble = new Error('secret');
  for (const [path, status] of [
    ['/', 500],
    [`/sensors/${id}`, 500],
    ['/nothing', 404],
  ] as const) {
    const reply = await served.ask(path);
    t.equal(reply.status, status);
    t.notMatch(reply.text, /secret/);
    t.match(reply.headers['content-type'], 'text/html');
  }
  served.view.sensors = () => {
    throw new Error('secret');
  };
  t.match(await served.ask('/api/v1/sensors'), { status: 500, text: '"internal"' });
  served.pages.trouble = undefined;
  t.equal((await served.ask('/')).status, 200, 'a failure is not kept');
});

await t.test('assets may be kept for ever, and are compressed if they are text', async (t) => {
  const served = await Served.start(t);
  const script = await served.ask('/assets/board.0a1b2c.js', {
    headers: { 'Accept-Encoding': 'gzip' },
  });
  t.equal(script.headers['cache-control'], 'public, max-age=31536000, immutable');
  t.equal(script.headers['content-encoding'], 'gzip');
  t.equal(script.headers['content-type'], 'text/javascript; charset=utf-8');
  t.equal((await served.ask('/favicon.ico')).text, '<svg/>');
  t.match((await served.ask('/robots.txt')).text, 'Disallow: /api/');
});

await t.test('names cannot get into headers', async (t) => {
  const served = await Served.start(t);
  const odd = 'a"\r\nX: y\u00e9';
  served.view.sensor = () => ({ ...served.view.sensors()[0]!, id: odd, name: odd });
  served.history.readings = () => Promise.resolve([{ sensor: odd, time: NOON, value: 1 }]);
  const { status, headers } = await served.ask('/api/v1/sensors/x/readings.csv?from=0');
  t.equal(status, 200);
  t.equal(headers['content-disposition'], 'attachment; filename="readings-a___X__y_.csv"');
  t.equal(headers['x'], undefined);
});

await t.test('a port that is taken is said to be', async (t) => {
  const served = await Served.start(t);
  const options = { host: '127.0.0.1', port: served.server.port };
  await t.rejects(PublicServer.start(options, served), {
    message: /^cannot listen on 127\.0\.0\.1:\d+: another program does: give another/,
  });
  await t.rejects(PublicServer.start({ ...options, limits: { rows: 0 } }, served), {
    message: 'rows is 0: give a whole number from 1 to 10000000',
  });
});

await t.test('closing waits for what is on its way, and for nobody who hangs', async (t) => {
  const served = await Served.start(t);
  let open: (() => void) | undefined;
  served.history.gate = new Promise((resolve) => (open = resolve));
  const hanging = await served.dial();
  const stream = await served.stream();
  await stream.until('event: relay');
  const answer = served.ask('/api/v1/events');
  await eventually(() => served.history.asked.events === 1);
  const closed = served.server.close();
  open!();
  t.equal((await answer).status, 200);
  await closed;
  await hanging.all();
  await stream.all();
  t.equal(served.counters.connections, 0);
});
