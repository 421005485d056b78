import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { formatVerifier } from '../../src/note/note.js';
import { makeSigner } from '../audit/build.js';
import {
  parseBoard,
  readLinkTls,
  readNames,
  readPassword,
  readPublicTls,
} from '../../src/config/board.js';
import { createAuthority, issueCertificate } from '../../src/pki/authority.js';

const LINK = `link:
  tls: { cert: a.pem, key: a.key, ca: ca.pem }
  users:
    relay: { may: send, password_file: p, certificate: [relay, relay.example] }
    watch: { may: read, password_file: p }
`;
const SMALL = `schema: tidegate-board/v1\nstate: state\n${LINK}public: {}\n`;

await t.test('a small configuration is complete', (t) => {
  const config = parseBoard(SMALL, '/etc/tidegate/board-server.yaml');
  t.match(config, {
    state: '/etc/tidegate/state',
    names: undefined,
    link: {
      host: '127.0.0.1',
      port: 9598,
      users: [
        { name: 'relay', may: 'send', certificate: ['relay', 'relay.example'] },
        { name: 'watch', may: 'read', certificate: undefined },
      ],
    },
    public: { host: '127.0.0.1', port: 8080, tls: undefined },
    history: { raw: 7 * 86_400_000, events: 1_000_000, size: 2 ** 31 },
    sensors: 2000,
    alarmAge: 3_600_000,
  });
  const whole = parseBoard(
    `${SMALL.replace('public: {}', 'public: { host: "::", port: 443, tls: { cert: b, key: credential:k } }')}
names: board.yaml
history: { raw: 2h, hours: 30d, days: 100d, events: 5, size: 16MiB }
sensors: 7
alarm_age: 5m
silence: 20s
`,
    '/etc/tidegate/board-server.yaml',
    { CREDENTIALS_DIRECTORY: '/run/credentials' },
  );
  t.match(whole, {
    names: { path: '/etc/tidegate/board.yaml' },
    public: { host: '::', port: 443, tls: { key: { path: '/run/credentials/k' } } },
    history: { raw: 7_200_000, hours: 30 * 86_400_000, events: 5, size: 16 * 2 ** 20 },
    ...{ sensors: 7, alarmAge: 300_000, silence: 20_000 },
  });
  t.end();
});

await t.test('what is wrong is said with its place and the way out', (t) => {
  const wrong: readonly (readonly [text: string, error: RegExp])[] = [
    ['', /board\.yaml:1:1/],
    ['schema: tidegate/v1', /must be tidegate-board\/v1/],
    [SMALL.replace('state: state\n', ''), /needs 'state'/],
    [SMALL.replace('public: {}', ''), /needs 'public'/],
    [SMALL.replace(', ca: ca.pem', ''), /link\.tls needs 'ca'/],
    [SMALL.replace('may: send', 'may: write'), /must be send or read/],
    [
      SMALL.replace(', certificate: [relay, relay.example]', ''),
      /may send, and needs 'certificate'/,
    ],
    [SMALL.replace('relay: {', '"re lay": {'), /is no name/],
    [SMALL.replace('send,', 'send, audit_key: no.pub,'), /^board\.yaml:6:36: .*no\.pub/],
    [SMALL.replace('send,', 'send, audit_key: a+01234567+x,'), /^board\.yaml:6:36: .*a is no Ed/],
    [SMALL.replace('public: {}', 'public: { port: 70000 }'), /0 to 65535/],
    [SMALL.replace('public: {}', 'public: { tls: { cert: x } }'), /public\.tls needs 'key'/],
    [SMALL.replace('public: {}', 'public: { port: 9598 }'), /^board\.yaml:8:17: .*both listen on/],
    [SMALL.replace('link:', 'link:\n  port: 8080\n  host: 0.0.0.0'), /:4:9: link and public both/],
    [`${SMALL}history: { size: 1MiB }`, /at least 16MiB/],
    [`${SMALL}history: { raw: 1s }`, /at least 3600s/],
    [`${SMALL}sensors: 0`, /1 to 20000/],
    [`${SMALL}sensosr: 1`, /did you mean 'sensors'/],
  ];
  for (const [text, error] of wrong) {
    t.throws(() => parseBoard(text, 'board.yaml'), { message: error }, String(error));
  }
  for (const page of ['{ port: 9598, host: 127.0.0.2 }', '{ port: 9599 }']) {
    t.ok(parseBoard(SMALL.replace('public: {}', `public: ${page}`), 'board.yaml'));
  }
  const free = SMALL.replace('link:', 'link:\n  port: 0').replace('{}', '{ port: 0 }');
  t.ok(parseBoard(free, 'board.yaml'));
  const signer = makeSigner('relay.example');
  const signed = SMALL.replace('send,', `send, audit_key: ${formatVerifier(signer)},`);
  t.match(parseBoard(signed, 'board.yaml').link.users[0]?.auditKeys, [{ id: signer.id }]);
  t.end();
});

await t.test('the files that it names are read, or it is said what to do', async (t) => {
  const directory = t.testdir({ p: 'secret\n', 'board.yaml': 'x' });
  const authority = await createAuthority({ commonName: 'CA', days: 30 });
  const make = (commonName: string) =>
    issueCertificate(authority, { commonName, usage: 'server', names: [commonName], days: 30 });
  const [one, other] = [await make('one.example'), await make('other.example')];
  const write = (name: string, text: string): void => {
    writeFileSync(join(directory, name), text, { mode: 0o600 });
  };
  chmodSync(join(directory, 'p'), 0o600);
  write('ca.pem', authority.certificate);
  write('a.pem', one.certificate);
  write('a.key', one.key);
  const text = SMALL.replace('public: {}', 'public: { tls: { cert: a.pem, key: b.key } }');
  const config = parseBoard(`${text}names: board.yaml`, join(directory, 'c.yaml'));
  t.match(readLinkTls(config), { cert: one.certificate, ca: authority.certificate });
  const anew = await createAuthority({ commonName: 'CA', days: 30 });
  write('ca.pem', anew.certificate);
  t.throws(() => readLinkTls(config), {
    message: /c\.yaml:\d+:\d+: .*ca\.pem has not signed .*a\.pem.* another authority/,
  });
  const both = `${anew.certificate}\n${authority.certificate}`;
  write('ca.pem', both);
  t.equal(readLinkTls(config).ca, both, 'while one takes the place of the other');
  const foreign = await createAuthority({ commonName: 'Relays', days: 30 });
  write('ca.pem', foreign.certificate);
  t.ok(readLinkTls(config), 'relays may have one of their own');
  t.equal(readNames(config)?.text, 'x');
  t.equal(readPassword(config.link.users[0]!), 'secret');
  t.throws(() => readPublicTls(config), {
    message: /c\.yaml:\d+:\d+: cannot read .*b\.key: ENOENT/,
  });
  write('b.key', other.key);
  t.throws(() => readPublicTls(config), { message: /b\.key is not the key of .*a\.pem/ });
  write('b.key', 'nothing');
  t.throws(() => readPublicTls(config), { message: /tidegate pki issue/ });
  chmodSync(join(directory, 'p'), 0o644);
  t.throws(() => readPassword(config.link.users[0]!), { message: /chmod 600/ });
  write('p', 'two\nlines\n');
  chmodSync(join(directory, 'p'), 0o600);
  t.throws(() => readPassword(config.link.users[0]!), { message: /holds no password/ });
});
