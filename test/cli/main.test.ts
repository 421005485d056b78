import { spawnSync } from 'node:child_process';
import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';
import { relayIdentity, trusted } from '../fake/upper-pki.js';

const MAIN = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));

function run(args: readonly string[], cwd?: string) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [MAIN, ...args], {
    encoding: 'utf8',
    cwd,
    timeout: 20_000,
  });
  return { status, stdout, stderr };
}

await t.test('what cannot be printed is said, and is no verdict', (t) => {
  for (const [command, status] of [
    ['status --help', 3],
    ['metrics --help', 1],
  ]) {
    const script = `${process.execPath} ${MAIN} ${command} > /dev/full`;
    const { status: code, stderr } = spawnSync('sh', ['-c', script], { encoding: 'utf8' });
    t.same([code, stderr], [status, 'tidegate: cannot print: ENOSPC\n'], String(command));
  }
  t.end();
});

/** A directory with a configuration that is right; `edit` makes it wrong. */
async function directoryWith(t: Test, edit: (yaml: string) => string = (yaml) => yaml) {
  const directory = t.testdir({});
  const [authority, relay] = await Promise.all([trusted(), relayIdentity()]);
  const write = (name: string, text: string): void => {
    writeFileSync(join(directory, name), text, { mode: 0o600 });
  };
  write('ca.pem', authority.certificate);
  write('relay.pem', relay.certificate);
  write('relay.key', relay.key);
  write('password', 'secret\n');
  write(
    'policy.yaml',
    'schema: tidegate-policy/v1\npolicy: { id: p, revision: 1 }\nrules:\n' +
      '  - { name: a, effect: permit, to: [public], match: { class: 10 } }\n',
  );
  write(
    'tidegate.yaml',
    edit(`schema: tidegate/v1
state: ./state
lowers:
  plant-a: { host: 127.0.0.1, port: 9598, user: relay, password_file: password }
policies: [policy.yaml]
channels:
  public: { retain: { size: 1GiB, age: 7d } }
uppers:
  portal:
    channel: public
    host: upper.example
    port: 9599
    user: tidegate
    password_file: password
    tls: { ca: ca.pem, cert: relay.pem, key: relay.key, servername: upper.example }
`),
  );
  return directory;
}

await t.test('check says OK, or what is wrong and where', async (t) => {
  const right = run(['check', '-c', 'tidegate.yaml'], await directoryWith(t));
  t.match(right, { status: 0, stdout: /^configuration OK\n/, stderr: '' });

  const cases: [string, (yaml: string) => string, RegExp][] = [
    [
      'key',
      (y) => y.replace('host: 127', 'hots: 127'),
      /^tidegate\.yaml:4:14: .*did you mean 'host'/,
    ],
    ['tls', (y) => y.replace(/ {4}tls.*\n/, ''), /^tidegate\.yaml:10:5: .*no plain-text upstream/],
    ['file', (y) => y.replace('[policy.yaml]', '[none.yaml]'), /^tidegate\.yaml:5:12: cannot read/],
    ['yaml', (y) => y.replace('policies: [', 'policies: [['), /^tidegate\.yaml:\d+:\d+: /],
  ];
  for (const [name, edit, message] of cases) {
    const wrong = run(['check', '-c', 'tidegate.yaml'], await directoryWith(t, edit));
    t.equal(wrong.status, 1, name);
    t.match(wrong.stderr, message, name);
    t.equal(wrong.stdout, '', name);
  }
  const directory = await directoryWith(t);
  chmodSync(join(directory, 'password'), 0o644);
  t.match(run(['check'], directory), { status: 1, stderr: /can be read by others.*chmod 600/ });
  t.match(run(['check', '-c', 'none.yaml'], directory), {
    status: 1,
    stderr: /none\.yaml: there is no such file/,
  });
});

await t.test('run refuses what check refuses, before anything is started', async (t) => {
  const directory = await directoryWith(t, (yaml) => yaml.replace('port: 9598', 'port: 0'));
  t.match(run(['run', '-c', 'tidegate.yaml'], directory), {
    status: 1,
    stderr: /^tidegate\.yaml:4:.*port must be 1 to 65535/,
  });
});

await t.test('help teaches, at every level; what is unknown names the nearest known', (t) => {
  const help = run(['--help']);
  t.equal(help.status, 0);
  for (const command of ['check', 'run', 'status', 'metrics', 'pki', 'completion']) {
    t.match(help.stdout, new RegExp(`^ +${command} `, 'm'));
    t.match(run([command, '--help']), { status: 0, stdout: /Usage/ });
  }
  t.match(run(['chekc']), { status: 2, stderr: /unknown command "chekc"; did you mean 'check'\?/ });
  t.match(run(['check', '--confg', 'x']), { status: 2, stderr: /did you mean '--config'\?/ });
  t.equal(run([]).status, 2);
  const { version } = JSON.parse(
    readFileSync(fileURLToPath(new URL('../../package.json', import.meta.url)), 'utf8'),
  ) as { version: string };
  t.equal(run(['--version']).stdout, `tidegate ${version}\n`);
  t.end();
});

await t.test('the bash completion is a script that bash takes, and completes', (t) => {
  const { stdout } = run(['completion', 'bash']);
  const script = `${stdout}\nCOMP_WORDS=(tidegate ch); COMP_CWORD=1; _tidegate; echo "\${COMPREPLY[@]}"
COMP_WORDS=(tidegate status --w); COMP_CWORD=2; _tidegate; echo "\${COMPREPLY[@]}"`;
  const bash = spawnSync('bash', ['-c', script], { encoding: 'utf8' });
  t.equal(bash.stdout, 'check\n--watch\n');
  t.match(run(['completion', 'tcsh']), { status: 2, stderr: /unknown shell/ });
  t.end();
});
