import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createRequire } from 'node:module';
import { Socket } from 'node:net';
import { mock } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { Caller } from './caller.js';
import { FakeLower, type Kind, type LowerOptions, type Trouble } from './lower.js';
import { Outlet } from './outlet.js';
import { replay, type ReplayOptions } from './replay.js';
import { type Host, Session } from './session.js';
import { decodeLiteral, greeting, readTranscript, type Step } from './transcript.js';
import { uvscpd } from './uvscpd.js';
import { vscpd } from './vscpd.js';

interface Answer {
  result: string;
}

/** The part of the third-party client that is used here; the package has no types. */
const Client = createRequire(import.meta.url)('node-vscp-tcp') as new () => {
  connect(options: { host: string; port: number; timeout: number }): Promise<unknown>;
  user(options: { username: string }): Promise<boolean>;
  password(options: { password: string }): Promise<boolean>;
  setFilter(options: { filterClass?: number; filterType?: number }): Promise<Answer>;
  setMask(options: { maskClass?: number; maskType?: number }): Promise<Answer>;
  startRcvLoop(): Promise<Answer>;
  addEventListener(listener: (event: object) => void): void;
  on(name: 'alive', listener: () => void): void;
  socket: Socket;
};

const KINDS: readonly Kind[] = ['vscpd-14', 'vscpd-15', 'uvscpd'];

const EVENT = '0,10,6,0,2026-11-22T08:00:00Z,1,FF:FF:FF:FF:FF:FF:FF:FE:00:00:00:00:00:01:00:02,1';
const OTHER = '96,20,3,0,,2,FF:FF:FF:FF:FF:FF:FF:FE:00:00:00:00:00:01:00:03,0x01';
const NO_GUID = '00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00';

async function start(t: Test, options: LowerOptions): Promise<FakeLower> {
  const lower = await FakeLower.start({ signsOfLife: 'off', ...options });
  t.teardown(() => lower.close());
  return lower;
}

/** Dials and logs in. */
async function enter(lower: FakeLower, loop = true): Promise<Caller> {
  const caller = await Caller.dial(lower);
  await caller.ask('USER admin\r\n');
  await caller.ask('PASS secret\r\n');
  if (loop) await caller.ask('RCVLOOP\r\n');
  return caller;
}

/** The steps before the first one that `isEnd` holds for. */
function upTo(steps: readonly Step[], isEnd: (step: Step) => boolean): Step[] {
  const end = steps.findIndex(isEnd);
  return steps.slice(0, end < 0 ? undefined : end);
}

const says = (step: Step, text: string) => step.bytes.includes(text);

/** That recorder wrote down four fields of each event; the rest is what the sender S sent. */
function withReceived(step: Step): Step {
  const list = /^filter=.* -> received (.*)$/.exec(step.bytes.toString())?.[1];
  if (list === undefined) return step;
  const fields = [...list.matchAll(/b'([^']*)'/g)].map(([, field]) => field!);
  let lines = '';
  for (let i = 0; i < fields.length; i += 4) {
    const [head, klass, type, guid] = fields.slice(i, i + 4);
    const data = `0x${guid!.slice(-2)}`;
    lines += `${[head, klass, type, 1, '2026-11-22T08:00:00Z', 1, guid, data].join(',')}\r\n`;
  }
  return { ...step, from: 'server', bytes: Buffer.from(lines) };
}

interface Recording extends ReplayOptions {
  file: string;
  steps?: (steps: Step[]) => Step[];
}

const afterSetGuid = (): ReplayOptions => {
  // SGID is answered as recorded and sets nothing.
  let set = false;
  return {
    skip: (_, command) => {
      set ||= command.startsWith('SGID');
      return set && /^(?:GGID|INTERFACE|CLIENT)/.test(command);
    },
  };
};

const RECORDINGS: Readonly<Record<Kind, readonly Recording[]>> = {
  'vscpd-14': [
    { file: 'vscpd-login_good' },
    { file: 'vscpd-login_bad' },
    { file: 'vscpd-before_login' },
    { file: 'vscpd-info_cmds', ...afterSetGuid() },
    { file: 'vscpd-filters' },
    {
      // B's queue held the daemon's own events, which the fake does not make.
      file: 'vscpd-rcvloop',
      skip: (connection, command) => connection === 'B' && /^(?:CDTA|RETR)/.test(command),
    },
    { file: 'vscpd-halfclose', halfClosed: ['A.2', 'A.3'] },
    {
      // The recorder shortened the rest.
      file: 'vscpd-pipelined',
      steps: (steps) => upTo(steps, (step) => says(step, '-- 100 SEND')),
    },
  ],
  'vscpd-15': [
    {
      // A.4 is a user who may not log in from here.
      file: 'current-01-session',
      steps: (steps) => steps.filter((step) => step.connection !== 'A.4'),
      ...afterSetGuid(),
    },
    {
      // The next one crashed it; and a GUID that is too short is filled from its memory.
      file: 'current-02-send-rcvloop',
      steps: (steps) => upTo(steps, (step) => step.bytes.length > 500),
      skip: (_, command) => /,(?:zz:zz|01:02:03),/.test(command),
      ignore: (line) => line.includes(':00:3C:3B:7F:'),
    },
    {
      // The user `filt` has a filter on the server's side.
      file: 'current-04-filter',
      steps: (steps) => {
        const other = steps.find((step) => says(step, 'USER filt'))?.connection;
        return steps.filter((step) => step.connection !== other).map(withReceived);
      },
    },
    {
      // Repeating a command (`+`) is not imitated.
      file: 'current-06-limits',
      steps: (steps) =>
        steps.filter(
          (step, i) =>
            step.connection === 'H' ||
            (step.connection === 'eol' &&
              !steps.slice(0, i + 1).some((each) => says(each, '+\r\n'))),
        ),
      ignore: (line) => line.startsWith('0,10,6,1,'),
    },
  ],
  uvscpd: [
    { file: 'uvscpd-login_good' },
    { file: 'uvscpd-login_bad' },
    { file: 'uvscpd-before_login' },
    { file: 'uvscpd-info_cmds', ...afterSetGuid() },
    { file: 'uvscpd-filters' },
    { file: 'uvscpd-filter_effect' },
    { file: 'uvscpd-rcvloop', skip: (_, command) => command === 'STAT' },
    { file: 'uvscpd-send_forms' },
    {
      file: 'uvscpd-pipelined',
      steps: (steps) => upTo(steps, (step) => says(step, '-- 100 SEND')),
    },
    {
      // Those connections whose long line was recorded in full.
      file: 'uvscpd-longline',
      steps: (steps) => {
        const cut = new Set(
          steps.filter((step) => says(step, "b'")).map((step) => step.connection),
        );
        return steps.filter((step) => !cut.has(step.connection) && step.connection !== '');
      },
    },
  ],
};

for (const kind of KINDS) {
  for (const { file, steps = (all: Step[]) => all, ...options } of RECORDINGS[kind]) {
    for (const pieces of [undefined, 7]) {
      await t.test(
        `${kind} answers as in ${file}, ${pieces ? 'in pieces' : 'whole'}`,
        async (t) => {
          const lower = await start(t, { kind, pieces });
          const comparisons = await replay(steps(readTranscript(file)), lower, options);
          t.ok(comparisons.length > 0);
          for (const { connection, got, expected } of comparisons) {
            t.ok(expected.length > 2, `${connection} has something to compare`);
            t.same(got, expected, connection);
          }
        },
      );
    }
  }
}

await t.test('uvscpd turns the sixth connection away', async (t) => {
  const lower = await start(t, { kind: 'uvscpd' });
  const recorded = readTranscript('uvscpd-maxconn')
    .map((step) => /^-- connection \d: (.*)$/.exec(step.bytes.toString())?.[1])
    .filter((literal) => literal !== undefined)
    .map((literal) => String(decodeLiteral(literal)));
  t.equal(recorded.length, 8);
  const callers: Caller[] = [];
  for (const expected of recorded) {
    const caller = await Caller.dial(lower);
    callers.push(caller);
    if (expected === '') await caller.ended();
    t.equal(caller.text, expected);
  }
  t.equal(lower.connections.length, 8);
  await callers[0]!.hangUp();
  t.equal((await Caller.dial(lower)).text, recorded[0], 'a place is free again');
});

await t.test('the backlog comes in the segment of the acknowledgement, once', async (t) => {
  for (const kind of KINDS) {
    const lower = await start(t, { kind });
    lower.backlog(`${EVENT}\n${OTHER}`);
    lower.backlog(Buffer.from('raw'));
    const caller = await enter(lower, false);
    const segment = once(caller.socket, 'data');
    caller.socket.write('RCVLOOP\r\n');
    t.match(String(await segment), new RegExp(`^\\+OK.*\r\n${EVENT}\r\n${OTHER}\r\nraw$`));
    t.notMatch((await enter(lower)).text, EVENT);
  }
});

await t.test('several commands in one write', async (t) => {
  const whole = 'USER admin\r\nPASS secret\r\nRCVLOOP\r\nNOOP\r\nNOOP\r\n';
  for (const version of [14, 15] as const) {
    const lower = await start(t, { kind: `vscpd-${version}` });
    const caller = await Caller.dial(lower);
    t.match(await caller.ask(whole), /^\+OK - User name accepted.*\r\n$/, 'one');
    t.equal(await caller.ask('\r\n'), '+OK - Success.\r\n', 'the next by the next segment');
    const rest = await caller.ask('\r\n');
    t.match(
      rest,
      /^\+OK - Receive loop entered.*\r\n(?:\+OK - Success.\r\n){2}$/,
      'in the loop all',
    );

    // Recorded as a remark: current-06-limits, H3.
    const other = await Caller.dial(lower);
    const before = other.text;
    other.socket.end(whole);
    await other.ended();
    t.match(other.text.slice(before.length), /^\+OK - User name accepted.*\r\n$/);
  }
  const caller = await Caller.dial(await start(t, { kind: 'uvscpd' }));
  t.equal(await caller.ask(whole), '+OK\r\n'.repeat(5));
});

await t.test('a line without end', async (t) => {
  const strict = await enter(await start(t, { kind: 'uvscpd' }));
  t.equal(await strict.ask(Buffer.alloc(1_000_000, 'y')), '');
  t.equal(await strict.ask('\r\n'), '-OK - line length exceeded\r\n');
  t.equal(await strict.ask('NOOP\r\n'), '+OK\r\n');
  const patient = await enter(await start(t, { kind: 'vscpd-14' }));
  t.equal(await patient.ask(`NOOP${' '.repeat(1_000_000)}\r\n`), '+OK - Success.\r\n');
});

await t.test('who may come in', async (t) => {
  for (const kind of KINDS) {
    const lower = await start(t, { kind, user: 'relay', password: 'pa,ss' });
    const caller = await Caller.dial(lower);
    t.match(await caller.ask('USER relay\r\n'), /^\+OK/);
    t.match(await caller.ask('PASS pa,ss\r\n'), /^\+OK/);
    t.match(await caller.ask('RCVLOOP\r\n'), /^\+OK/);
    const stranger = await Caller.dial(lower);
    await stranger.ask('USER relay\r\n');
    t.match(await stranger.ask('PASS secret\r\n'), /^-OK/);
    t.equal(stranger.connection.closed, kind !== 'uvscpd');
  }
});

await t.test('filters are applied, ignored or refused', async (t) => {
  const filter = [`SFLT 0,10,6,${NO_GUID}\r\n`, `SMSK 0,0x3ff,0xff,${NO_GUID}\r\n`];
  for (const kind of KINDS) {
    for (const filters of ['applied', 'ignored', 'refused'] as const) {
      const lower = await start(t, { kind, filters });
      const caller = await enter(lower, false);
      for (const command of filter) {
        t.match(await caller.ask(command), filters === 'refused' ? /^-OK.*\r\n$/ : /^\+OK.*\r\n$/);
      }
      await caller.ask('RCVLOOP\r\n');
      const before = caller.text.length;
      lower.send(`${OTHER}\r\n${EVENT}\r\nno event\r\n`);
      lower.send(Buffer.from(`${OTHER}\n`));
      await caller.settle();
      const other = filters === 'applied' ? '' : `${OTHER}\r\n`;
      t.equal(caller.text.slice(before), `${other}${EVENT}\r\nno event\r\n${OTHER}\n`);
    }
  }
});

await t.test('only what is in RCVLOOP is sent to', async (t) => {
  for (const kind of KINDS) {
    const lower = await start(t, { kind });
    const [inside, outside] = [await enter(lower), await enter(lower, false)];
    lower.send(EVENT);
    await outside.settle();
    await inside.settle();
    t.match(inside.text, EVENT);
    t.notMatch(outside.text, EVENT);
    t.same(
      lower.connections.map(({ inLoop }) => inLoop),
      [true, false],
    );
  }
});

await t.test('what the client wrote behind RCVLOOP is counted', async (t) => {
  for (const kind of KINDS) {
    const lower = await start(t, { kind });
    const caller = await enter(lower, false);
    const { connection } = caller;
    t.equal(connection.afterLoop, 0);
    await caller.ask('RCVLOOP\r\n');
    t.equal(connection.afterLoop, 0);
    await caller.ask('NOOP');
    t.equal(connection.afterLoop, 4);
    await caller.ask('\r\nQUITLOOP\r\n');
    await caller.ask('RCVLOOP\r\nX');
    t.equal(connection.afterLoop, 4 + 12 + 10, 'the first RCVLOOP counts');
    t.equal(
      String(connection.received),
      'USER admin\r\nPASS secret\r\nRCVLOOP\r\nNOOP\r\nQUITLOOP\r\nRCVLOOP\r\nX',
    );
    const other = await enter(lower, false);
    await other.ask('RCVLOOP\r\nNOOP\r\n');
    t.equal(other.connection.afterLoop, 6, 'in the same segment');
  }
});

await t.test('signs of life', async (t) => {
  for (const kind of KINDS) {
    const lower = await start(t, { kind, signsOfLife: 1 });
    const caller = await enter(lower);
    while (!caller.text.endsWith('+OK\r\n+OK\r\n+OK\r\n')) await turn();
    lower.pauseSignsOfLife();
    await caller.settle();
    const before = caller.text;
    for (let i = 0; i < 3; i++) lower.send(EVENT);
    while (!caller.text.endsWith(`${EVENT}\r\n`.repeat(3))) await turn();
    t.equal(caller.text, `${before}${EVENT}\r\n${EVENT}\r\n${EVENT}\r\n`);
    lower.resumeSignsOfLife();
    while (!caller.text.endsWith('+OK\r\n')) await turn();
    await lower.close();
  }
});

await t.test('steady traffic holds the signs of uvscpd back, not those of vscpd', (t) => {
  mock.timers.enable({ apis: ['setTimeout', 'Date'] });
  t.teardown(() => mock.timers.reset());
  for (const [dialect, busy] of [
    [vscpd(14), 2],
    [vscpd(15), 2],
    [uvscpd(), 0],
  ] as const) {
    const host: Host = {
      dialect,
      user: '',
      password: '',
      filters: 'applied',
      signEveryMs: dialect.signEveryMs,
      trouble: undefined,
      signs: true,
      takeBacklog: () => Buffer.alloc(0),
      entered: () => undefined,
      publish: () => undefined,
    };
    const socket = new Socket().on('error', () => undefined); // nobody reads it
    const session = new Session(host, new Outlet(socket, {}), 1);
    session.enterLoop(Buffer.alloc(0));
    for (let ms = 0; ms < 7000; ms += 100) {
      session.deliver(Buffer.from('x'));
      mock.timers.tick(100);
    }
    t.equal(session.sent, 70 + busy * 5, 'one event every 100 ms for 7 s, as recorded');
    const before = session.sent;
    for (let ms = 0; ms < 7000; ms += 100) mock.timers.tick(100);
    t.ok(session.sent >= before + 2 * 5, 'idle');
    session.close();
  }
  t.end();
});

await t.test('connections are dropped, and the server can come back on its port', async (t) => {
  for (const kind of KINDS) {
    for (const how of ['fin', 'reset'] as const) {
      const lower = await start(t, { kind });
      const caller = await enter(lower);
      const errors: string[] = [];
      caller.socket.on('error', (error: NodeJS.ErrnoException) => errors.push(error.code ?? ''));
      const closed = once(caller.socket, 'close').catch(() => once(caller.socket, 'close'));
      lower.dropAll(how);
      await closed;
      t.same(errors, how === 'reset' ? ['ECONNRESET'] : []);
      while (!caller.connection.closed) await turn();
      t.notOk(caller.connection.inLoop);
      t.match((await enter(lower)).text, '+OK', 'it still listens');
      const { port } = lower;
      await lower.close();
      const again = await start(t, { kind, port });
      t.equal(again.port, port);
      t.match((await enter(again)).text, '+OK');
    }
  }
});

await t.test('waiting for the receive loop', async (t) => {
  const lower = await start(t, { kind: 'vscpd-15' });
  const order: number[] = [];
  const waits = [2, 1].map((count) => lower.untilLoop(count).then(() => order.push(count)));
  const first = await enter(lower);
  await first.ask('QUITLOOP\r\n');
  await first.ask('RCVLOOP\r\n');
  await turn();
  t.same(order, [1], 'the same connection does not count twice');
  await first.hangUp();
  await enter(lower);
  await Promise.all(waits);
  await lower.untilLoop();
  t.same(order, [1, 2]);
  const never = lower.untilLoop(3);
  await Promise.all([t.rejects(never, /closed/), lower.close()]);
  await t.rejects(lower.untilLoop(4), /closed/);
  await lower.close();
});

await t.test('trouble instead of a server', async (t) => {
  const lower = await start(t, { kind: 'vscpd-14', trouble: 'silent' });
  const silent = await Caller.dial(lower);
  t.equal(await silent.ask('USER admin\r\n'), '');
  t.equal(String(silent.connection.received), 'USER admin\r\n');

  lower.trouble = 'http';
  const web = await Caller.dial(lower);
  t.equal(web.text, '');
  web.socket.write('U');
  await web.ended();
  t.match(web.text, /^HTTP\/1\.1 400 Bad Request\r\n/);
  const [, length, body] = /Content-Length: (\d+)[^]*?\r\n\r\n([^]*)$/.exec(web.text)!;
  t.equal(body!.length, Number(length));

  lower.trouble = 'garbage';
  const noise = await Caller.dial(lower);
  while (noise.bytes.length < 8192) await turn();
  for (const byte of [0x00, 0x1b, 0xff, 0x0a]) t.ok(noise.bytes.includes(byte), `${byte}`);
  t.notOk(noise.bytes.subarray(0, 4000).includes(0x0a));
  noise.socket.destroy();

  lower.trouble = 'endless';
  const endless = await Caller.dial(lower);
  while (endless.bytes.length < 100_000) await turn();
  t.notOk(endless.bytes.includes(0x0a));

  lower.trouble = undefined;
  t.match((await enter(lower)).text, 'Receive loop entered', 'and then it is well again');
});

await t.test('trouble within a session', async (t) => {
  for (const kind of KINDS) {
    const ask = async (trouble: Trouble, ...commands: string[]) => {
      const lower = await start(t, { kind, trouble, filters: 'refused' });
      const caller = await Caller.dial(lower);
      let answer = '';
      for (const command of commands) answer = await caller.ask(`${command}\r\n`);
      await turn();
      return { answer, caller };
    };
    const login = ['USER admin', 'PASS secret'];

    const refused = await ask('refuse-login', ...login);
    t.match(refused.answer, /^-OK.*\r\n$/);
    t.equal(refused.caller.connection.closed, kind !== 'uvscpd');

    const kept = await ask('no-answer-to-pass', ...login);
    t.equal(kept.answer, '');
    t.notOk(kept.caller.connection.closed);

    const outside = await ask('refuse-loop', ...login, 'RCVLOOP');
    t.match(outside.answer, /^-OK.*\r\n$/);
    t.notOk(outside.caller.connection.inLoop);
    t.equal(outside.caller.connection.afterLoop, 0);

    const twice = await ask('two-lines', ...login, `SFLT 0,10,6,${NO_GUID}`);
    t.match(twice.answer, /^(-OK.*\r\n)\1$/);

    for (const bytes of [0, 1, 60, 90]) {
      const lower = await start(t, { kind, trouble: { closeAfter: bytes } });
      const caller = await Caller.dial(lower);
      if (!caller.connection.closed) caller.socket.write('USER admin\r\nNOOP\r\n');
      const said = greeting(readTranscript(kind === 'uvscpd' ? 'uvscpd-rcvloop' : 'vscpd-rcvloop'));
      if (bytes < said.length) {
        await caller.ended();
        t.equal(caller.bytes.length, bytes);
      }
      await lower.close();
    }
  }
});

await t.test('a reader that stops reading does not lose what is waiting', async (t) => {
  const lower = await start(t, { kind: 'vscpd-14' });
  const caller = await enter(lower);
  const before = caller.bytes.length;
  const block = Buffer.alloc(1024 * 1024, 'x');
  caller.socket.pause();
  for (let i = 0; i < 32; i++) lower.send(block);
  await turn();
  t.ok(caller.connection.waiting > 0);
  caller.socket.resume();
  await caller.settle();
  t.equal(caller.bytes.length - before, 32 * block.length);
  t.equal(caller.connection.waiting, 0);
});

await t.test('it never keeps a process alive', async (t) => {
  const script = `
    import { once } from 'node:events';
    import { connect } from 'node:net';
    import { FakeLower } from ${JSON.stringify(new URL('lower.js', import.meta.url).href)};
    for (const trouble of [undefined, 'garbage', 'endless']) {
      const lower = await FakeLower.start({ kind: 'uvscpd', signsOfLife: 1, trouble });
      const socket = connect(lower.port, '127.0.0.1');
      await once(socket, 'data');
      socket.write('RCVLOOP\\r\\n');
      await once(socket, 'data');
      socket.unref();
    }
  `;
  const child = spawn(
    process.execPath,
    [...process.execArgv, '--input-type=module', '--eval', script],
    { stdio: ['ignore', 'inherit', 'inherit'] },
  );
  const [code] = (await once(child, 'exit')) as [number | null];
  t.equal(code, 0);
});

/**
 * The library loses what comes in the segment of an answer, so there is no backlog here; and it
 * rejects with an object when the server refuses.
 */
await t.test('a third-party client works with all of them', async (t) => {
  for (const kind of KINDS) {
    t.capture(console, 'info');
    const lower = await start(t, { kind, signsOfLife: 5 });
    const client = new Client();
    await client.connect({ host: '127.0.0.1', port: lower.port, timeout: 10_000 });
    t.ok(await client.user({ username: 'admin' }));
    t.ok(await client.password({ password: 'secret' }));
    t.match(await client.setFilter({ filterClass: 10, filterType: 6 }), { result: 'success' });
    // Its default mask of 0xffff is what uvscpd refuses.
    const mask: unknown = await client.setMask({}).catch((reason: unknown) => reason);
    t.match(mask, { result: kind === 'uvscpd' ? 'error' : 'success' });
    t.match(await client.setMask({ maskClass: 0x3ff, maskType: 0xff }), { result: 'success' });
    const alive = new Promise<void>((resolve) => client.on('alive', resolve));
    const event = new Promise<object>((resolve) => client.addEventListener(resolve));
    await client.startRcvLoop();
    await lower.untilLoop();
    lower.send(OTHER);
    lower.send(EVENT);
    t.match(await event, { vscpHead: 0, vscpClass: 10, vscpType: 6, vscpData: [1] });
    await alive;
    t.equal(lower.connections[0]!.afterLoop, 0);
    client.socket.destroy();
  }
});
