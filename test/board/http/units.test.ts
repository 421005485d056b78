import fc from 'fast-check';
import t from 'tap';
import { formatCell } from '../../../src/board/http/export.js';
import { Kept, Shelf } from '../../../src/board/http/kept.js';
import { completeLimits } from '../../../src/board/http/limits.js';
import { Buckets, networkOf, Tally } from '../../../src/board/http/network.js';
import { Problem } from '../../../src/board/http/problem.js';
import { Questions } from '../../../src/board/http/questions.js';
import { isoOf } from '../../../src/board/http/shapes.js';
import { parseTarget, Query } from '../../../src/board/http/target.js';

await t.test('a client is its IPv4 address, or the /64 of its IPv6 address', (t) => {
  for (const [address, network] of [
    ['192.0.2.1', '192.0.2.1'],
    ['::ffff:192.0.2.1', '192.0.2.1'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['2001:db8:1:2::6', '2001:db8:1:2::/64'],
    ['2001:db8::6', '2001:db8:0:0::/64'],
    ['::1', '0:0:0:0::/64'],
    ['fe80::1%eth0', 'fe80:0:0:0::/64'],
    [undefined, ''],
  ] as const) {
    t.equal(networkOf(address), network, String(address));
  }
  fc.assert(fc.property(fc.ipV6(), (address) => networkOf(address).length <= 40));
  t.end();
});

await t.test('a tally forgets who has nothing', (t) => {
  const tally = new Tally();
  tally.add('a');
  tally.add('a');
  tally.remove('a');
  t.equal(tally.of('a'), 1);
  tally.remove('a');
  tally.remove('a');
  t.equal(tally.of('a'), 0);
  t.end();
});

await t.test('a bucket gives its burst, and then its rate', (t) => {
  const buckets = new Buckets(10, 3, 2);
  for (let i = 0; i < 3; i++) t.equal(buckets.take('a', 0), 0);
  t.equal(buckets.take('a', 0), 100);
  t.equal(buckets.take('b', 0), 0, 'others have their own');
  t.equal(buckets.take('a', 100), 0);
  t.ok(buckets.take('a', 100) > 0);
  for (let i = 0; i < 3; i++) t.equal(buckets.take('a', 1e9), 0);
  t.ok(buckets.take('a', 1e9) > 0, 'no more than a burst is saved up');
  for (let i = 0; i < 100; i++) buckets.take(`c${i}`, 1e9);
  t.equal(buckets.size, 2);
  t.end();
});

await t.test('limits have bounds', (t) => {
  t.equal(completeLimits().headerBytes, 8192);
  t.equal(completeLimits({ streams: 5 }).streams, 5);
  for (const streams of [0, -1, 1.5, NaN, Infinity]) {
    t.throws(() => completeLimits({ streams }), /streams is .*: give a whole number from 1 to/);
  }
  t.end();
});

await t.test('a target is a path as it came, whatever it is', (t) => {
  t.same(parseTarget('/a?b=c'), { path: '/a', search: 'b=c' });
  t.same(parseTarget('http://x:1/a?b'), { path: '/a', search: 'b' });
  t.same(parseTarget('HTTPS://x'), { path: '/', search: '' });
  t.same(parseTarget('http://x?y'), { path: '/', search: 'y' });
  t.same(parseTarget('//x/y'), { path: '//x/y', search: '' });
  for (const target of ['', '*', 'x', 'ftp://x/', 'x:80', '?x', '#/']) {
    t.equal(parseTarget(target), undefined, target);
  }
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      const target = parseTarget(text);
      return target === undefined || target.path.startsWith('/');
    }),
  );
  t.end();
});

await t.test('parameters are taken strictly', (t) => {
  const query = (search: string): Query => new Query(search, ['from', 'n', 'c']);
  t.equal(query('from=2026-03-01').time('from'), Date.UTC(2026, 2, 1));
  t.equal(query('from=2026-03-01T12:00Z').time('from'), Date.UTC(2026, 2, 1, 12));
  t.equal(query('from=2026-03-01T12:00:00.5Z').time('from'), Date.UTC(2026, 2, 1, 12, 0, 0, 500));
  t.equal(query('from=17').time('from'), 17);
  t.equal(query('').time('from'), undefined);
  for (const from of [
    '',
    ' ',
    'x',
    '-1',
    '1e3',
    '0x10',
    'NaN',
    'Infinity',
    '2026-02-30',
    '2026-13-01',
    '2026-03-01T25:00Z',
    '2026-03-01T12:00',
    '2026-03-01T24:00:00.001Z',
    '1969-12-31',
    '0000-01-01',
    '999999999999999',
    '9'.repeat(5000),
    '+002026-03-01',
    '2026-03-01T12:00Z\u0000',
  ]) {
    const search = new URLSearchParams({ from }).toString();
    t.throws(
      () => query(search).time('from'),
      /from is '.{0,43}': give a time/s,
      from.slice(0, 30),
    );
  }
  t.equal(query('n=5').integer('n', 1, 9, 3), 5);
  t.equal(query('').integer('n', 1, 9, 3), 3);
  for (const n of ['', '0', '10', '-1', '1.5', '1e0', ' 5', '５', '0x5', '9'.repeat(400)]) {
    const search = new URLSearchParams({ n }).toString();
    t.throws(() => query(search).integer('n', 1, 9, 3), /give a whole number from 1 to 9/, n);
  }
  t.equal(query('c=b').choice('c', ['a', 'b']), 'b');
  t.throws(() => query('c=x').choice('c', ['a', 'b']), /c is 'x': give one of a, b/);
  t.throws(() => query('x=1'), /unknown parameter 'x': there are from, n, c/);
  t.throws(() => query('n=1&n=1'), /n is given twice/);
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 100 }), (text) => {
      try {
        query(text).time('from');
      } catch (error) {
        if (!(error instanceof Problem)) throw error;
      }
    }),
  );
  t.end();
});

await t.test('what a spreadsheet would run is text', (t) => {
  for (const [text, cell] of [
    ['Hall', 'Hall'],
    ['', ''],
    ['=1+1', "'=1+1"],
    ['+1', "'+1"],
    ['-1', "'-1"],
    ['@SUM(A1)', "'@SUM(A1)"],
    ['\t=1', `"'\t=1"`],
    [' =1', `' =1`],
    ['\r=1', `"'\r=1"`],
    ['\n', `"'\n"`],
    ['"=1"', `"'""=1"""`],
    ['＝1', "'＝1"],
    ['a,b', '"a,b"'],
    ['a"b', '"a""b"'],
    ['a;=1', '"a;=1"'],
    ['a\r\n=1', '"a\r\n=1"'],
  ] as const) {
    t.equal(formatCell(text), cell, JSON.stringify(text));
  }
  t.end();
});

await t.test('what is no time is null', (t) => {
  t.equal(isoOf(1), '1970-01-01T00:00:00.001Z');
  for (const time of [0, NaN, Infinity, 9e15, -9e15]) t.equal(isoOf(time), null);
  t.end();
});

await t.test('the same question is asked once, and the answer kept for a while', async (t) => {
  const shelf = new Shelf(3, 10_000);
  let made = 0;
  const make = async (): Promise<Kept> => {
    made++;
    await new Promise((resolve) => setTimeout(resolve, 5));
    return new Kept('text/plain', 'x'.repeat(1000));
  };
  await Promise.all(Array.from({ length: 100 }, () => shelf.get('a', 60_000, make)));
  t.equal(made, 1);
  await shelf.get('a', 60_000, make);
  t.equal(made, 1);
  await shelf.get('b', 0, make);
  await shelf.get('b', 0, make);
  t.equal(made, 3, 'unless it has had its time');
  for (const key of 'cdefgh') await shelf.get(key, 60_000, make);
  t.equal(shelf.size, 3);
  t.equal(shelf.bytes, 6000);
  await shelf.get('large', 60_000, () => new Kept('text/plain', 'x'.repeat(4000)));
  t.ok(shelf.bytes <= 10_000);
  await shelf.get('too large', 60_000, () => new Kept('text/plain', 'x'.repeat(40_000)));
  t.equal(shelf.bytes, 0);
  t.equal(shelf.size, 0);
  const fail = (): Kept => {
    throw new Error('no');
  };
  await t.rejects(shelf.get('x', 60_000, fail), /no/);
  t.equal((await shelf.get('x', 60_000, make)).bytes.length, 1000, 'a failure is not kept');
});

await t.test('so many questions at once, and so long each', async (t) => {
  const questions = new Questions(2, 2, 20);
  // Its own patience keeps no process alive.
  const timer = setInterval(() => undefined, 1000);
  t.teardown(() => clearInterval(timer));
  const never = (): Promise<never> => new Promise(() => undefined);
  t.equal(await questions.ask('a', () => Promise.resolve(5)), 5);
  const late = questions.ask('a', never);
  await t.rejects(late, { code: 'history_unavailable' });
  await t.rejects(
    questions.ask('a', () => Promise.reject(new Error('/var/secret/path'))),
    { message: /^what has been kept cannot be read at the moment: try again later$/ },
  );
  await t.rejects(
    questions.ask('a', () => {
      throw new Error('at once');
    }),
    { code: 'history_unavailable' },
  );
  t.equal(questions.open, 1, 'what nobody waits for any more is still open');
  const second = questions.ask('a', never);
  await t.rejects(questions.ask('a', never), { code: 'busy' });
  await t.rejects(second);
});

await t.test('one address leaves room for the questions of others', async (t) => {
  const questions = new Questions(3, 2, 60_000);
  let answer: ((value: number) => void) | undefined;
  const slow = new Promise<number>((resolve) => (answer = resolve));
  const asked = [1, 2].map(() => questions.ask('a', () => slow));
  await t.rejects(
    questions.ask('a', () => slow),
    { code: 'busy' },
  );
  asked.push(questions.ask('b', () => slow));
  await t.rejects(
    questions.ask('c', () => slow),
    { code: 'busy' },
  );
  answer!(7);
  t.same(await Promise.all(asked), [7, 7, 7]);
  t.equal(await questions.ask('a', () => slow), 7, 'what has been answered is not counted');
});
