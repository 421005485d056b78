import t, { type Test } from 'tap';
import { buildLogin, type LoginOptions } from '../../src/link/login.js';
import { logIn } from '../../src/lower/session.js';
import { FakeLower, type Kind, type LowerOptions } from '../fake/lower.js';

const KINDS: readonly Kind[] = ['vscpd-14', 'vscpd-15', 'uvscpd'];
const FILTER = '0,10,6,00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00';
const LOGIN: LoginOptions = {
  user: 'admin',
  password: 'secret',
  filter: undefined,
  mask: undefined,
};

// The fake servers keep nothing alive by themselves.
const alive = setInterval(() => undefined, 1000);
t.teardown(() => clearInterval(alive));

async function attempt(t: Test, options: LowerOptions, login: Partial<LoginOptions> = {}) {
  const server = await FakeLower.start({ signsOfLife: 'off', ...options });
  t.teardown(() => server.close());
  const script = buildLogin({ ...LOGIN, ...login });
  const outcome = await logIn({ host: '127.0.0.1', port: server.port }, script);
  if (outcome.kind === 'ready') t.teardown(() => outcome.socket.destroy());
  return { server, script, outcome, text: outcome.kind === 'ready' ? '' : outcome.text };
}

for (const kind of KINDS) {
  await t.test(`${kind}: the script is written, byte for byte, and nothing after it`, async (t) => {
    const login = { filter: FILTER, mask: FILTER };
    const { server, script, outcome } = await attempt(t, { kind, pieces: 3 }, login);
    t.equal(outcome.kind, 'ready');
    await server.untilLoop();
    t.equal(server.connections[0]!.received.toString(), script.bytes.toString());
    t.equal(server.connections[0]!.afterLoop, 0);
  });

  await t.test(`${kind}: what comes with the answer to RCVLOOP stays unread`, async (t) => {
    const server = await FakeLower.start({ kind, signsOfLife: 'off' });
    t.teardown(() => server.close());
    server.backlog('0,20,3,0,,0,FF:FF:FF:FF:FF:FF:FF:FE:00:00:00:00:00:01:00:00,1');
    const outcome = await logIn({ host: '127.0.0.1', port: server.port }, buildLogin(LOGIN));
    if (outcome.kind !== 'ready') throw new Error(outcome.text);
    t.teardown(() => outcome.socket.destroy());
    await server.untilLoop();
    // Two rounds of the event loop: bytes that have arrived would have been read by now.
    await new Promise((resolve) => setTimeout(resolve, 50));
    const last = buildLogin(LOGIN).steps.length;
    t.equal(last, 3);
    t.ok(server.connections[0]!.sent > 0, 'the backlog was sent');
    const handle = (outcome.socket as unknown as { _handle: { reading?: boolean } })._handle;
    t.equal(handle.reading, false, 'the handle does not read');
  });

  await t.test(
    `${kind}: a server that closes after any number of bytes is a failed try`,
    async (t) => {
      const script = buildLogin(LOGIN);
      const whole = await attempt(t, { kind });
      const length = whole.server.connections[0]!.sent;
      t.ok(length > 20);
      const server = await FakeLower.start({ kind, signsOfLife: 'off' });
      t.teardown(() => server.close());
      const results: string[] = [];
      for (let n = 0; n < length; n++) {
        server.trouble = { closeAfter: n };
        const outcome = await logIn({ host: '127.0.0.1', port: server.port }, script);
        if (outcome.kind === 'ready') outcome.socket.destroy();
        else if (!/closed|EPIPE|ECONNRESET/.test(outcome.text)) t.fail(`${n}: ${outcome.text}`);
        results.push(outcome.kind);
      }
      // Once the answer to PASS is complete the script is written: the valve finds the end.
      t.notOk(results.slice(0, results.lastIndexOf('failed')).includes('ready'));
      t.ok(results.includes('failed'));
    },
  );
}

await t.test(
  'a refused password is told from a failure, with the words of the server',
  async (t) => {
    for (const kind of KINDS) {
      const { outcome, text } = await attempt(t, { kind }, { password: 'wrong' });
      t.equal(outcome.kind, 'refused', kind);
      t.match(text, /^PASS was refused: -OK - [Ii]nvalid/);
    }
  },
);

await t.test('a refused filter is a warning, and the login goes on', async (t) => {
  for (const kind of KINDS) {
    const login = { filter: FILTER, mask: FILTER };
    const { outcome, server } = await attempt(t, { kind, filters: 'refused' }, login);
    if (outcome.kind !== 'ready') throw new Error(outcome.text);
    await server.untilLoop();
    t.match(outcome.warnings, [/^SFLT was refused, the gate filters anyway: -OK/, /^SMSK was/]);
  }
});

await t.test('two lines for one refusal do not shift the answers', async (t) => {
  const login = { filter: FILTER, mask: FILTER };
  const { outcome, server } = await attempt(
    t,
    { kind: 'vscpd-15', filters: 'refused', trouble: 'two-lines' },
    login,
  );
  t.equal(outcome.kind, 'ready');
  await server.untilLoop();
});

const TROUBLES: [Extract<LowerOptions['trouble'], string>, string, RegExp][] = [
  ['silent', 'failed', /^no answer in time to the greeting/],
  ['http', 'failed', /^no answer in time to the greeting/],
  ['garbage', 'failed', /^this is no VSCP server: |^no answer in time to the greeting/],
  ['endless', 'failed', /^this is no VSCP server: |^no answer in time to the greeting/],
  ['refuse-login', 'refused', /^(USER|PASS) was refused: -OK/],
  ['no-answer-to-pass', 'failed', /^no answer in time to PASS/],
];
for (const [trouble, kind, words] of TROUBLES) {
  await t.test(`trouble '${trouble}' ends the try with a reason in plain text`, async (t) => {
    const { outcome, text } = await attempt(t, { kind: 'vscpd-14', trouble });
    t.equal(outcome.kind, kind);
    t.match(text, words);
    t.notMatch(text, /[^\x20-\x7e]/);
  });
}

await t.test('nobody there: the try fails with what the kernel says', async (t) => {
  const server = await FakeLower.start({ kind: 'uvscpd' });
  const { port } = server;
  await server.close();
  const outcome = await logIn({ host: '127.0.0.1', port }, buildLogin(LOGIN));
  t.match(outcome, { kind: 'failed', text: 'ECONNREFUSED' });
});
