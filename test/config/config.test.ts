import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { type Config, loadConfig, parseConfig } from '../../src/config/config.js';
import { DocumentError } from '../../src/document/document.js';

/** The example of the issue that laid the pipeline, word for word. */
const EXAMPLE = `schema: tidegate/v1
state: ./state                       # journals, cursors, audit
lowers:
  plant-a:
    host: 127.0.0.1
    port: 9598
    user: relay
    password_file: ./secrets/plant-a # refused if others can read it
    filter: "0,0,0,00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00"   # optional, sent as SFLT
    mask:   "0,0,0,00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00"   # optional, sent as SMSK
policies: [./policies/public.yaml]
channels:
  public: { retain: { size: 1GiB, age: 7d } }
uppers:
  portal:
    kind: vscp
    channel: public
    host: upper.example
    port: 9599
    user: tidegate
    password_file: ./secrets/portal
    window: 1                        # SENDs outstanding; 1 for servers that answer one \
line per segment
    tls: { ca: ./pki/ca.pem, cert: ./pki/relay.pem, key: ./pki/relay.key, \
servername: upper.example }
`;

const FILE = '/etc/tidegate/tidegate.yaml';

/** The configuration without the places to complain about. */
function plain(config: Config): unknown {
  return JSON.parse(
    JSON.stringify(config, (key, value: unknown) => (key === 'field' ? undefined : value)),
  );
}

function complaint(text: string, environment: NodeJS.ProcessEnv = {}): string {
  try {
    parseConfig(text, FILE, environment);
    return 'fine';
  } catch (error) {
    if (!(error instanceof DocumentError)) throw error;
    return error.message.replace(`${FILE}:`, '');
  }
}

/** The example with one line replaced. */
function edited(line: number, text: string): string {
  const lines = EXAMPLE.split('\n');
  lines[line - 1] = text;
  return lines.join('\n');
}

await t.test('the example of the issue says exactly what it says', (t) => {
  const none = '0,0,0,00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00';
  t.same(plain(parseConfig(EXAMPLE, FILE, {})), {
    file: FILE,
    state: '/etc/tidegate/state',
    seal: 'required',
    uids: 2_000_000_000,
    lowers: [
      {
        name: 'plant-a',
        host: '127.0.0.1',
        port: 9598,
        user: 'relay',
        password: { path: '/etc/tidegate/secrets/plant-a' },
        filter: none,
        mask: none,
      },
    ],
    policies: [{ path: '/etc/tidegate/policies/public.yaml' }],
    audit: {},
    channels: [{ name: 'public', retain: { size: 2 ** 30, age: 7 * 86_400_000 } }],
    uppers: [
      {
        name: 'portal',
        kind: 'vscp',
        channel: 'public',
        host: 'upper.example',
        port: 9599,
        user: 'tidegate',
        password: { path: '/etc/tidegate/secrets/portal' },
        window: 1,
        timestamps: 'datetime',
        drain: 'urgent-first',
        tls: {
          ca: { path: '/etc/tidegate/pki/ca.pem' },
          cert: { path: '/etc/tidegate/pki/relay.pem' },
          key: { path: '/etc/tidegate/pki/relay.key' },
          servername: 'upper.example',
        },
      },
    ],
  });
  t.end();
});

await t.test('what may be left out has a safe default', (t) => {
  const config = parseConfig(
    `schema: tidegate/v1
state: /var/lib/tidegate
lowers: { a: { host: h, port: 1, user: u, password_file: /p } }
policies: [p, sub/q]
channels: { c: {}, d: { retain: {} } }
uppers:
  x: { channel: c, host: '::1', port: 65535, user: u, password_file: p, \
tls: { ca: a, cert: b, key: c } }
`,
    'conf.d/t.yaml',
    {},
  );
  const here = process.cwd();
  t.equal(config.state, '/var/lib/tidegate');
  t.equal(config.lowers[0]!.filter, undefined);
  t.equal(config.lowers[0]!.mask, undefined);
  t.equal(config.lowers[0]!.password.path, '/p');
  t.same(
    config.policies.map(({ path }) => path),
    [join(here, 'conf.d/p'), join(here, 'conf.d/sub/q')],
    'relative to the file, not to where it is read',
  );
  for (const { retain } of config.channels) {
    t.same(retain, { size: 2 ** 30, age: 7 * 86_400_000 });
  }
  const [upper] = config.uppers;
  t.equal(upper!.kind, 'vscp');
  t.equal(upper!.window, 1);
  t.equal(upper!.timestamps, 'datetime');
  t.equal(upper!.drain, 'urgent-first');
  t.equal(upper!.tls.servername, '::1', 'the host');
  t.end();
});

await t.test('filters are sent in the spelling that strict servers take', (t) => {
  const text = edited(9, '    filter: "0x7, 0xa,0x6, -"').replace(
    /mask:.*/,
    'mask: "7,65535,0,::"',
  );
  const [lower] = parseConfig(text, FILE, {}).lowers;
  t.equal(lower!.filter, `7,10,6,${Array(16).fill('00').join(':')}`);
  t.equal(lower!.mask, `7,65535,0,${Array(16).fill('FF').join(':')}`);
  t.end();
});

await t.test('a credential is a file of $CREDENTIALS_DIRECTORY', (t) => {
  const text = edited(8, '    password_file: credential:plant-a.pw');
  const [lower] = parseConfig(text, FILE, { CREDENTIALS_DIRECTORY: '/run/credentials/t' }).lowers;
  t.equal(lower!.password.path, '/run/credentials/t/plant-a.pw');
  const key = EXAMPLE.replace('./pki/relay.key', 'credential:key');
  t.equal(
    parseConfig(key, FILE, { CREDENTIALS_DIRECTORY: '/c' }).uppers[0]!.tls.key.path,
    '/c/key',
  );
  for (const environment of [{}, { CREDENTIALS_DIRECTORY: '' }]) {
    t.match(
      complaint(text, environment),
      /^8:20: 'credential:plant-a\.pw' needs \$CREDENTIALS_DIRECTORY.*LoadCredential=plant-a\.pw:/,
    );
  }
  for (const name of ['', '..', '.x', 'a/b', '../x', 'a b', '$X']) {
    t.match(
      complaint(edited(8, `    password_file: "credential:${name}"`), {
        CREDENTIALS_DIRECTORY: '/c',
      }),
      /^8:20: '.*' is no credential name$/,
      name,
    );
  }
  t.end();
});

const EDITS: [line: number, text: string, expected: string | RegExp][] = [
  [1, 'schema: tidegate/v2', "1:9: schema must be tidegate/v1, not 'tidegate/v2'"],
  [1, 'shcema: tidegate/v1', "1:1: unknown key 'shcema'; did you mean 'schema'?"],
  [1, '', "2:1: the file needs 'schema'"],
  [2, '', "1:1: the file needs 'state'"],
  [2, 'state: 7', '2:8: state must be text: put it in quotes'],
  [2, 'state: ""', '2:8: state must be text, not empty'],
  [2, 'state: ./state\nlower: {}', "3:1: unknown key 'lower'; did you mean 'lowers'?"],
  [2, 'state: ./state\nstate: ./b', "3:1: a second key 'state'"],
  [2, 'state: ./state\n__proto__: {}', /^3:1: unknown key '__proto__'/],
  [4, '  plant a:', /^4:3: 'plant a' is no name: letters, digits, - and _, 64 at most/],
  [4, '  ../x:', /^4:3: '\.\.\/x' is no name/],
  [4, '  __proto__:', /^4:3: '__proto__' is no name/],
  [4, '  1:', 'fine'],
  [5, '    hots: 127.0.0.1', "5:5: unknown key 'hots'; did you mean 'host'?"],
  [5, '', "6:5: lowers.plant-a needs 'host'"],
  [5, '    host: ', '5:11: lowers.plant-a.host must be text, not empty'],
  [5, '    host: [a]', '5:11: lowers.plant-a.host must be a single value'],
  [5, '    host: 127', '5:11: lowers.plant-a.host must be text: put it in quotes'],
  [5, '    host: a b', "5:11: 'a b' is neither a host name nor an address"],
  [5, '    host: tcp://a', "5:11: 'tcp://a' is neither a host name nor an address"],
  [5, '    host: a:9598', "5:11: 'a:9598' is neither a host name nor an address"],
  [5, '    host: -a', "5:11: '-a' is neither a host name nor an address"],
  [5, '    host: "a\\nb"', '5:11: lowers.plant-a.host must not hold control characters'],
  [5, `    host: ${'a'.repeat(254)}`, '5:11: lowers.plant-a.host is longer than 253 characters'],
  [5, '    host: fe80::1%eth0', 'fine'],
  [5, '    host: "::ffff:10.0.0.1"', 'fine'],
  [6, '    port: 0', '6:11: lowers.plant-a.port must be 1 to 65535, not 0'],
  [6, '    port: 65536', '6:11: lowers.plant-a.port must be 1 to 65535, not 65536'],
  [6, '    port: "9598"', '6:11: lowers.plant-a.port must be a whole number'],
  [6, '    port: 95.98', '6:11: lowers.plant-a.port must be a whole number'],
  [6, '    port: .inf', '6:11: lowers.plant-a.port must be a whole number'],
  [6, '', "5:5: lowers.plant-a needs 'port'"],
  [7, '    user: a b', '7:11: lowers.plant-a.user must not hold spaces'],
  [7, '    user: "a\\r\\nQUIT"', '7:11: lowers.plant-a.user must not hold control characters'],
  [7, '    user: 42', '7:11: lowers.plant-a.user must be text: put it in quotes'],
  [7, `    user: ${'u'.repeat(65)}`, '7:11: lowers.plant-a.user is longer than 64 characters'],
  [7, '    usr: relay', "7:5: unknown key 'usr'; did you mean 'user'?"],
  [7, '', "5:5: lowers.plant-a needs 'user'"],
  [8, '    passwordfile: p', "8:5: unknown key 'passwordfile'; did you mean 'password_file'?"],
  [8, '    password: p', /^8:5: unknown key 'password'; known: .*password_file/],
  [8, '', "5:5: lowers.plant-a needs 'password_file'"],
  [9, '    filter: "0,0,0"', /^9:13: lowers\.plant-a\.filter must be "priority,class,type,GUID"$/],
  [9, '    filter: "8,0,0,-"', "9:13: '8' must be a number of 0 to 7"],
  [9, '    filter: "0,65536,0,-"', "9:13: '65536' must be a number of 0 to 65535"],
  [9, '    filter: "0,0,0,FF:FF"', /^9:13: a GUID has 16 bytes, not 2/],
  [9, '    filter: 7', '9:13: lowers.plant-a.filter must be text: put it in quotes'],
  [10, '    mask: "0,0,x,-"', "10:11: 'x' must be a number of 0 to 65535"],
  [11, 'policies: []', '11:11: policies must not be empty'],
  [11, 'policies: ./policies/public.yaml', '11:11: policies must be a list'],
  [11, 'policies: [7]', '11:12: policies[0] must be text: put it in quotes'],
  [11, '', "1:1: the file needs 'policies'"],
  [13, '  public: 7', '13:11: channels.public must be a map'],
  [13, '  {}', '13:3: channels must not be empty'],
  [13, '  public: { retian: {} }', "13:13: unknown key 'retian'; did you mean 'retain'?"],
  [13, '  public: { retain: { sise: 1GiB } }', "13:23: unknown key 'sise'; did you mean 'size'?"],
  [
    13,
    '  public: { retain: { size: 1GB, age: 7w } }',
    /^13:39: .*\.age must be a number and a unit/,
  ],
  [
    13,
    '  public: { retain: { size: 3MiB } }',
    '13:29: channels.public.retain.size must be at least 4MiB',
  ],
  [
    13,
    '  public: { retain: { age: 999ms } }',
    '13:28: channels.public.retain.age must be at least 1s',
  ],
  [13, '  pub.lic: {}', /^13:3: 'pub\.lic' is no name/],
  [16, '    kind: mqtt', "16:11: uppers.portal.kind must be vscp, not 'mqtt'"],
  [17, '    channel: pubic', "17:14: no channel is named 'pubic'; did you mean 'public'?"],
  [17, '    channel: elsewhere', "17:14: no channel is named 'elsewhere'"],
  [17, '', "16:5: uppers.portal needs 'channel'"],
  [18, '    host: ""', '18:11: uppers.portal.host must be text, not empty'],
  [18, '', "16:5: uppers.portal needs 'host'"],
  [19, '    port: 70000', '19:11: uppers.portal.port must be 1 to 65535, not 70000'],
  [19, '', "16:5: uppers.portal needs 'port'"],
  [20, '', "16:5: uppers.portal needs 'user'"],
  [20, '    user: "a\\u2028b"', '20:11: uppers.portal.user must not hold control characters'],
  [21, '', "16:5: uppers.portal needs 'password_file'"],
  [22, '    window: 0', '22:13: uppers.portal.window must be 1 to 100000, not 0'],
  [22, '    window: 100001', '22:13: uppers.portal.window must be 1 to 100000, not 100001'],
  [22, '    window: many', '22:13: uppers.portal.window must be a whole number'],
  [22, '    windw: 1', "22:5: unknown key 'windw'; did you mean 'window'?"],
  [22, '    timestamps: nanoseconds', 'fine'],
  [22, '    drain: in-order', 'fine'],
  [
    22,
    '    drain: urgent',
    "22:12: uppers.portal.drain must be urgent-first or in-order, not 'urgent'",
  ],
  [
    22,
    '    timestamps: both',
    "22:17: uppers.portal.timestamps must be datetime or nanoseconds, not 'both'",
  ],
  [23, '', /^16:5: uppers\.portal needs 'tls': there is no plain-text upstream; 'tidegate pki'/],
  [23, '    tls: false', '23:10: uppers.portal.tls must be a map'],
  [23, '    tls:', '23:9: uppers.portal.tls must be a map'],
  [23, '    tls: {}', "23:10: uppers.portal.tls needs 'ca'"],
  [23, '    tls: { ca: a, cert: b }', "23:10: uppers.portal.tls needs 'key'"],
  [23, '    tls: { ca: a, key: b }', "23:10: uppers.portal.tls needs 'cert'"],
  [23, '    tls: { ca: a, cert: b, key: c, verify: false }', /^23:36: unknown key 'verify'/],
  [23, '    tls: { ca: a, cert: b, key: c, servername: a/b }', /^23:48: 'a\/b' is neither/],
];

await t.test('every key, wrong in turn, is refused at its place with the way out', (t) => {
  t.equal(complaint(EXAMPLE), 'fine');
  for (const [line, text, expected] of EDITS) {
    const found = complaint(edited(line, text));
    if (typeof expected === 'string') t.equal(found, expected, text);
    else t.match(found, expected, text);
  }
  t.end();
});

await t.test('there must be something of each kind, and no more than the bound', (t) => {
  const head = 'schema: tidegate/v1\nstate: s\npolicies: [p]\n';
  const lower = '{ host: h, port: 1, user: u, password_file: p }';
  const upper =
    '{ channel: c0, host: h, port: 1, user: u, password_file: p, tls: { ca: a, cert: b, key: c } }';
  const file = (lowers: number, channels: number, uppers: number): string => {
    const map = (n: number, key: string, value: string): string =>
      `{${Array.from({ length: n }, (_, i) => `${key}${i}: ${value}`).join()}}`;
    const parts = [map(lowers, 'l', lower), map(channels, 'c', '{}'), map(uppers, 'u', upper)];
    return `${head}lowers: ${parts[0]}\nchannels: ${parts[1]}\nuppers: ${parts[2]}\n`;
  };
  t.equal(complaint(file(1, 1, 1)), 'fine');
  t.equal(complaint(file(64, 30, 64)), 'fine');
  t.equal(complaint(file(0, 1, 1)), '4:9: lowers must not be empty');
  t.equal(complaint(file(1, 0, 1)), '5:11: channels must not be empty');
  t.equal(complaint(file(1, 1, 0)), '6:9: uppers must not be empty');
  t.equal(complaint(file(65, 1, 1)), '4:9: lowers has more than 64 entries');
  t.equal(complaint(file(1, 31, 1)), '5:11: channels has more than 30 entries');
  t.equal(complaint(file(1, 1, 65)), '6:9: uppers has more than 64 entries');
  t.equal(complaint(`${head}lowers: [a]\n`), '4:9: lowers must be a map');
  t.equal(complaint(''), '1:1: the file is empty');
  t.end();
});

await t.test('a file is loaded from disk; one that is not there is an error of the system', (t) => {
  const directory = t.testdir();
  mkdirSync(join(directory, 'etc'));
  const file = join(directory, 'etc', 't.yaml');
  writeFileSync(file, EXAMPLE);
  t.equal(loadConfig(file, {}).state, join(directory, 'etc', 'state'));
  t.throws(() => loadConfig(join(directory, 'none.yaml'), {}), { code: 'ENOENT' });
  t.end();
});

await t.test('the audit log and beacons', (t) => {
  const audit = (text: string) => parseConfig(`${EXAMPLE}audit: ${text}\n`, FILE, {}).audit;
  t.match(audit('{ relay: tide.example/1, key_file: keys/audit.key }'), {
    relay: 'tide.example/1',
    key: { path: '/etc/tidegate/keys/audit.key' },
  });
  const refused = (text: string, error: RegExp): void => {
    t.throws(() => audit(text), error, text);
  };
  refused(
    '{ relay: "a b" }',
    /^\/etc\/tidegate\/tidegate.yaml:\d+:\d+: audit.relay must not hold spaces/,
  );
  refused('{ relay: a+b }', /must not hold spaces or '\+'/);
  refused('{ relay: "" }', /audit.relay/);
  refused(`{ relay: ${'x'.repeat(64)} }`, /audit.relay/);
  refused('{ keyfile: k }', /unknown key 'keyfile'.*key_file/);
  const channel = (beacon: string) =>
    parseConfig(edited(13, `  public: { beacon: ${beacon} }`), FILE, {}).channels[0]!;
  t.equal(channel('1m').beacon, 60_000);
  t.throws(() => channel('10ms'), /beacon/);
  t.end();
});
