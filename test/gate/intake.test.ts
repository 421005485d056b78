import fc from 'fast-check';
import { join } from 'node:path';
import t from 'tap';
import { readPair } from '../../src/event/decode.js';
import { parseEvent } from '../../src/event/event.js';
import { malformedKind } from '../../src/event/malformed.js';
import { type Frame, type Totals, zeroTotals } from '../../src/wire/frame.js';
import { type Fields, fields, spell, spelling } from '../arbitrary/event.js';
import { CHANNELS, imbalance, SOURCES, Valve, World } from './world.js';

const CANONICAL = { hexData: false, hexNumbers: false, paddedGuid: true, lowerCase: false };
const HALL = [255, 255, 255, 255, 255, 255, 255, 254, 184, 39, 235, 0x10, 1, 2, 0, 1];
const OFFICE = HALL.with(11, 0x20);

/** The policies of the world, in plain words: what the event is as each channel gets it. */
function emitted(event: Fields, source: string): Map<string, string> {
  const { vscpClass, type } = event;
  const priority = (event.head >> 5) & 7;
  const sent = new Map<string, string>();
  const say = (channel: string, rule: string, changes: Partial<Fields>) => {
    const whole = { ...event, head: event.head & 0xe0, obid: 0, ...changes };
    sent.set(channel, `${source} ${rule} ${spell(whole, CANONICAL)}`);
  };
  const nowhen = { datetime: '', timestamp: 0n };
  if ([2, 514, 1034].includes(vscpClass)) return sent;
  const office = event.guid.slice(0, 12).join() === OFFICE.slice(0, 12).join();
  if (vscpClass === 10 && [6, 35].includes(type) && !office) say('public', 'p/climate', {});
  if (vscpClass === 20 && priority < 2) {
    if (!office) say('public', 'p/urgent', {});
    say('archive', 'p/urgent', {});
  }
  if (vscpClass === 10 && type === 6) {
    say('archive', 'q/climate', { ...nowhen, head: 0, data: [] });
  }
  if (vscpClass === 30 && source === 'north') {
    say('archive', 'q/north-alone', { guid: new Array<number>(16).fill(0) });
  }
  return sent;
}

/** Whether class and type alone say that nothing permits it: then the rest is not read. */
function hopeless(vscpClass: number, type: number): boolean {
  if ([20, 30, 2].includes(vscpClass)) return false;
  return vscpClass !== 10 || ![6, 35].includes(type);
}

/** What becomes of a line before the policies are asked; a closed intake reads no further. */
function verdict(line: string, closed: boolean): 'denied' | 'undecided' | { malformed: string } {
  const bytes = Buffer.from(line, 'latin1');
  const pair = readPair(bytes, 0, bytes.length);
  if (pair < 0) return { malformed: malformedKind(pair) };
  if (closed || hopeless(Math.floor(pair / 65536), pair % 65536)) return 'denied';
  try {
    parseEvent(line);
    return 'undecided';
  } catch (error) {
    return { malformed: (error as Error).message.replace('malformed event: ', '') };
  }
}

interface Line {
  /** Undefined: malformed, or denied by class and type alone. */
  readonly event: Fields | undefined;
  readonly text: string;
}

const event = fc
  .tuple(fields, fc.constantFrom(2, 10, 10, 20, 30, 514, 65535), fc.constantFrom(6, 35, 7))
  .chain(([event, vscpClass, type]) =>
    fc.constantFrom(HALL, OFFICE, event.guid).map((guid) => {
      return { ...event, vscpClass, type, guid, data: event.data.slice(0, 8) };
    }),
  );
const good = fc
  .tuple(event, spelling, fc.constantFrom('\n', '\r\n'))
  .map(([event, how, end]): Line => ({ event, text: spell(event, how) + end }));
const bad = fc
  .constantFrom(
    'x',
    '0,10',
    '0,10,6',
    '0,70000,6,0,,0,',
    '0,10,x,0,,0,',
    '0,10,6,-,,0,0',
    '0,10,6,0,yesterday,0,0',
    '0,10,6,0,,never,0',
    '0,10,6,0,,0,::1',
    '0,10,6,0,,0,0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0,256',
    `0,10,6,0,,0,0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0${',1'.repeat(513)}`,
    '0,99,6,what follows is not read',
    '0,514,6,what follows is not read',
    '\0',
    '\r',
  )
  .map((text): Line => ({ event: undefined, text: `${text}\r\n` }));
const count = fc.oneof(fc.constant(0), fc.nat(5));
const step = fc.oneof(
  {
    weight: 10,
    arbitrary: fc.record({
      kind: fc.constant('frame' as const),
      source: fc.nat(1),
      lines: fc.array(fc.oneof({ weight: 5, arbitrary: good }, { weight: 2, arbitrary: bad }), {
        maxLength: 6,
      }),
      last: fc.boolean(),
      lose: fc.record({
        empty: count,
        overlong: count,
        truncated: count,
        overflow: count,
        alive: count,
        read: count, // in no counter: the frame that held them was torn
      }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('reconnect' as const), source: fc.nat(1) }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constantFrom('commit', 'commit', 'fail', 'kill', 'close', 'open', 'open' as const),
    }),
  },
);

/** What a source's counters must say, in plain words. */
interface Book {
  readonly counted: {
    in: number;
    permitted: number;
    denied: number;
    malformed: Record<string, number>;
    lost: Record<string, number>;
    connections: number;
    interruptions: number;
    alive: number;
    bytes: number;
  };
  generation: number;
  /** The connection's last frame has come, or there was no connection. */
  ended: boolean;
  seen: Totals;
}

function newBook(): Book {
  const counts = { in: 0, permitted: 0, denied: 0, connections: 0, alive: 0, bytes: 0 };
  return {
    counted: { ...counts, interruptions: 0, malformed: {}, lost: {} },
    generation: 0,
    ended: true,
    seen: zeroTotals(),
  };
}

function bump(counts: Record<string, number>, name: string, by = 1): void {
  if (by !== 0) counts[name] = (counts[name] ?? 0) + by;
}

/** Books what a frame says of lines that are not in it. */
function bookTotals(book: Book, { generation, last, totals, lines }: Frame, gap: string): void {
  const { counted } = book;
  if (book.generation !== generation) {
    book.generation = generation;
    book.seen = zeroTotals();
    counted.connections++;
    if (!book.ended) counted.interruptions++;
  }
  book.ended = last;
  const since = (name: keyof Totals) => totals[name] - book.seen[name];
  const named = since('empty') + since('overlong') + since('truncated') + since('overflow');
  counted.in += since('read');
  bump(counted.malformed, 'empty', since('empty'));
  bump(counted.malformed, 'too-long', since('overlong'));
  bump(counted.lost, 'interrupted', since('truncated'));
  bump(counted.lost, 'overflow', since('overflow'));
  bump(counted.lost, gap, since('read') - named - lines);
  counted.alive += since('alive');
  counted.bytes += since('bytes');
  book.seen = { ...totals };
}

/** Records as they were appended, each with its sequence; of priority 0, in the urgent lane. */
function sequenced(texts: readonly string[]): string[] {
  let [routine, urgent] = [0, 0];
  return texts.map((text) => {
    const priority = Number(text.split(' ')[2]!.split(',')[0]) >> 5;
    return `${priority === 0 ? `u${++urgent}` : ++routine} ${text}`;
  });
}

/** Books a line, and what of it each channel gets. */
function bookLine({ counted }: Book, line: Line, source: string, closed: boolean) {
  const said = verdict(line.text.replace(/\r?\n$/, ''), closed);
  if (typeof said === 'object') bump(counted.malformed, said.malformed);
  const sent = said === 'undecided' && line.event ? emitted(line.event, source) : new Map();
  if (sent.size > 0) counted.permitted++;
  else if (typeof said === 'string') counted.denied++;
  return sent as ReadonlyMap<string, string>;
}

await t.test('whatever happens, the sums hold and the journals hold what was permitted', (t) => {
  const root = t.testdir();
  let runs = 0;
  let forwarded = 0;
  fc.assert(
    fc.property(fc.array(step, { minLength: 5, maxLength: 25 }), (steps) => {
      let failing = false;
      const world = new World(join(root, String(runs++)), {
        append: () => {
          if (failing) throw Object.assign(new Error('full'), { code: 'ENOSPC' });
        },
      });
      const valves = SOURCES.map(() => new Valve());
      let books = SOURCES.map(newBook);
      let record = structuredClone(books);
      let met = [false, false];
      let batch: string[][] = CHANNELS.map(() => []);
      let permitted = [0, 0];
      const journal: string[][] = CHANNELS.map(() => []);
      let now = Date.now();
      const forget = (): void => {
        batch = CHANNELS.map(() => []);
        permitted = [0, 0];
      };
      const check = (): void => {
        const actual = SOURCES.map((_, source) => world.counters(source));
        t.same(
          actual,
          books.map(({ counted }) => counted),
        );
        t.same(actual.map(imbalance), [0, 0]);
      };
      for (const step of steps) {
        if (step.kind === 'frame') {
          const { source, lines, lose, last } = step;
          const valve = valves[source]!;
          valve.lose(lose);
          const texts = lines.map(({ text }) => text);
          const frame = valve.frame(texts, last);
          world.intake.take(frame, source);
          const book = books[source]!;
          bookTotals(book, frame, met[source] ? 'torn' : 'restart');
          met[source] = true;
          for (const line of lines) {
            const sent = bookLine(book, line, SOURCES[source]!, world.intake.closed !== undefined);
            if (sent.size > 0) permitted[source]!++;
            for (const [channel, text] of sent) {
              batch[CHANNELS.indexOf(channel as 'public')]!.push(text);
            }
          }
        } else if (step.kind === 'reconnect') valves[step.source]!.reconnect();
        else if (step.kind === 'close') world.intake.closed = 'a policy has expired';
        else if (step.kind === 'open') world.intake.closed = undefined;
        else if (step.kind === 'kill') {
          world.restart();
          books = structuredClone(record);
          met = [false, false];
          forget();
        } else {
          now += 10_000; // so that a mark is always due
          failing = step.kind === 'fail';
          t.equal(world.commit(now), !failing);
          t.equal(world.ledger.failure, failing ? 'ENOSPC' : undefined);
          if (failing) {
            books.forEach(({ counted }, source) => {
              counted.permitted -= permitted[source]!;
              bump(counted.lost, 'journal', permitted[source]);
            });
          } else {
            journal.forEach((texts, i) => texts.push(...batch[i]!));
            record = structuredClone(books);
          }
          forget();
          failing = false;
        }
        check();
      }
      world.commit(now + 10_000);
      journal.forEach((texts, i) => {
        texts.push(...batch[i]!);
        forwarded += texts.length;
        t.same(world.journalled(i), sequenced(texts));
      });
      world.close();
    }),
    { numRuns: 60 },
  );
  t.ok(forwarded > 100, `${forwarded} events were forwarded`);
  t.end();
});

const TEMPERATURE = `96,10,6,7,,123,${'FF:'.repeat(15)}01,1,2\r\n`;

await t.test('a valve that outlives the gate: what nobody decided is lost by the restart', (t) => {
  const world = new World(t.testdir());
  const valve = new Valve();
  world.intake.take(valve.frame([TEMPERATURE, 'x\n']), 0);
  world.commit(Date.now() + 10_000);
  world.intake.take(valve.frame([TEMPERATURE, TEMPERATURE, TEMPERATURE]), 0);
  valve.frame([TEMPERATURE]); // written while no gate was there, and torn
  world.restart();
  t.match(world.counters(0), { in: 2, permitted: 1, malformed: { head: 1 }, lost: {} });
  world.intake.take(valve.frame([TEMPERATURE]), 0);
  t.match(world.counters(0), { in: 7, permitted: 2, lost: { restart: 4 }, connections: 1 });
  valve.frame([TEMPERATURE]);
  world.intake.take(valve.frame([]), 0);
  t.match(world.counters(0), { in: 8, permitted: 2, lost: { restart: 4, torn: 1 } });
  world.close();
  t.end();
});

await t.test('so it is for a connection that began after the last mark', (t) => {
  const world = new World(t.testdir());
  const valve = new Valve();
  world.intake.take(valve.frame([TEMPERATURE]), 0);
  world.commit(Date.now() + 10_000);
  valve.reconnect();
  world.intake.take(valve.frame([TEMPERATURE, TEMPERATURE]), 0);
  world.restart();
  world.intake.take(valve.frame([TEMPERATURE]), 0);
  t.match(world.counters(0), { in: 4, permitted: 2, lost: { restart: 2 }, connections: 2 });
  world.close();
  t.end();
});

await t.test('a closed intake denies all that it can read', (t) => {
  const world = new World(t.testdir());
  const valve = new Valve();
  world.intake.take(valve.frame([`0,514,6,0,,0,0\n`]), 0);
  world.intake.closed = 'a policy has expired';
  world.intake.take(valve.frame([TEMPERATURE, '0,20,6,0,,0,0\n', '0,514,6,x\n', 'x\n']), 0);
  t.match(world.counters(0), { in: 5, permitted: 0, denied: 4, malformed: { head: 1 } });
  t.same(
    world.intake.denied.describe(world.engine).map(({ rule }) => rule),
    ['p/never-security', 'default deny', 'default deny', 'p/never-security'],
    'no rule is named that did not decide',
  );
  world.commit(Date.now() + 10_000);
  t.same([world.journalled(0), world.journalled(1)], [[], []]);
  world.intake.closed = undefined;
  world.intake.take(valve.frame([TEMPERATURE]), 0);
  t.match(world.counters(0), { permitted: 1 });
  world.close();
  t.end();
});

await t.test('recent decisions name source, class, type and rule, newest first', (t) => {
  const world = new World(t.testdir());
  const [north, south] = [new Valve(), new Valve()];
  const guid = (site: string) => `FF:FF:FF:FF:FF:FF:FF:FE:B8:27:EB:${site}:01:02:00:01`;
  const line = (head: number, vscpClass: number, type: number, site = '10') =>
    `${head},${vscpClass},${type},0,,0,${guid(site)}\n`;
  world.intake.take(north.frame([line(0, 10, 35), line(0, 20, 9), line(64, 20, 9)]), 0);
  world.intake.take(
    south.frame([line(0, 30, 1), line(0, 10, 35, '20'), line(0, 2, 1), line(0, 7, 7)]),
    1,
  );
  const [, alarm, measurement] = world.intake.permitted.describe(world.engine);
  t.match(alarm, { source: 'north', class: 'CLASS1.INFORMATION', rule: 'p/urgent' });
  t.match(measurement, { source: 'north', class: 'CLASS1.MEASUREMENT', rule: 'p/climate' });
  t.equal(world.intake.permitted.describe(world.engine).length, 3, 'one for each channel');
  t.same(
    world.intake.denied.describe(world.engine).map(({ source, rule }) => `${source} ${rule}`),
    [
      'south default deny',
      'south p/never-security',
      'south p/never-offices',
      'south default deny',
      'north default deny',
    ],
  );
  for (let i = 0; i < 20; i++) world.intake.take(north.frame([line(0, 40_000 + i, 5)]), 0);
  t.same(
    world.intake.denied.describe(world.engine).map((each) => each.class),
    [19, 18, 17, 16, 15, 14, 13, 12].map((i) => String(40_000 + i)),
  );
  world.close();
  t.end();
});

await t.test('a connection that ends without its last words is an interruption', (t) => {
  const world = new World(t.testdir());
  const [north, south] = [new Valve(), new Valve()];
  let now = Date.now();
  const next = (valve: Valve, source: number, last: boolean): void => {
    world.intake.take(valve.frame([TEMPERATURE], last), source);
    t.ok(world.commit((now += 10_000)));
  };
  next(north, 0, false);
  north.reconnect();
  t.match(world.counters(0), { connections: 1, interruptions: 0 }, 'nobody knows yet');
  next(north, 0, true);
  t.match(world.counters(0), { connections: 2, interruptions: 1 });
  north.reconnect();
  next(north, 0, false);
  t.match(world.counters(0), { connections: 3, interruptions: 1 }, 'that one had ended');
  // A gate in between changes nothing of it.
  next(south, 1, true);
  world.restart();
  north.reconnect();
  south.reconnect();
  next(north, 0, true);
  next(south, 1, false);
  t.match(world.counters(0), { connections: 4, interruptions: 2, lost: {} });
  t.match(world.counters(1), { connections: 2, interruptions: 0, lost: {} });
  t.equal(imbalance(world.counters(0)), 0);
  world.close();
  t.end();
});

await t.test('last words that a gate was killed in are taken by the next, or not said', (t) => {
  const long = `
schema: tidegate-policy/v1
policy: { id: p, revision: 1 }
rules:
  - name: long
    effect: permit
    to: [public, archive]
    match: { class: 10 }
    emit: { guid: keep, data: [${new Array(512).fill(7).join()}] }
`;
  for (const killed of [true, false]) {
    let batches = 0;
    const audit = {
      append() {
        if (++batches >= 2 && killed) throw new Error('killed');
      },
    };
    const world = new World(t.testdir(), audit, undefined, [long]);
    const valve = new Valve();
    // Committed in parts: when the second would be, the gate is killed.
    world.intake.take(valve.frame(new Array<string>(3000).fill(TEMPERATURE), true), 0);
    if (!killed) t.ok(world.commit(Date.now() + 10_000));
    batches = -Infinity;
    world.restart();
    valve.reconnect();
    world.intake.take(valve.frame([TEMPERATURE]), 0);
    t.ok(world.commit(Date.now() + 20_000));
    t.match(world.counters(0), { connections: 2, interruptions: killed ? 1 : 0 });
    t.equal(imbalance(world.counters(0)), 0);
    world.close();
  }
  t.end();
});
