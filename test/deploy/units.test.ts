/** The systemd units: what systemd itself says of them, and that nothing in them is for show. */
import { spawnSync } from 'node:child_process';
import { cpSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';
import { parseDocument } from '../../src/document/document.js';

const DEPLOY = fileURLToPath(new URL('../../deploy', import.meta.url));
const UNITS = join(DEPLOY, 'systemd');
/** Exposure that `systemd-analyze security` may report at most, times ten; the guide explains the rest. */
const EXPOSURE: Readonly<Record<string, number>> = {
  'tidegate.service': 32,
  'tidegate-nft.service': 20,
  'tidegate-board.service': 15,
  'tidegate-metrics.service': 10,
};

const analyze = (...args: string[]) =>
  spawnSync('systemd-analyze', args, { encoding: 'utf8', env: { ...process.env, LC_ALL: 'C' } });
// Skipped without systemd, unless everything is required: then it fails.
const required = process.env['TIDEGATE_REQUIRE_ALL'] === '1';
const missing = analyze('--version').status !== 0;
const needsSystemd = !required && missing ? { skip: 'needs systemd-analyze' } : {};

/** Copies that name programs of this machine. */
function copies(t: Test): string {
  const directory = join(t.testdir({}), 'units');
  cpSync(UNITS, directory, { recursive: true });
  for (const name of Object.keys(EXPOSURE)) {
    const path = join(directory, name);
    const text = readFileSync(path, 'utf8');
    writeFileSync(path, text.replaceAll(/\/usr\/bin\/node|\/usr\/sbin\/nft/g, process.execPath));
  }
  return directory;
}

/** A service that a timer of the same name starts. */
const TIMED = ['tidegate-metrics'];

const settingsOf = (text: string): string[] =>
  text.split('\n').filter((line) => /^[A-Z]\w*=/.test(line));

await t.test('the units are these', (t) => {
  const units = readdirSync(UNITS).filter((name) => name.endsWith('.service'));
  t.same(units.sort(), Object.keys(EXPOSURE).sort());
  const timers = readdirSync(UNITS).filter((name) => name.endsWith('.timer'));
  t.same(
    timers,
    TIMED.map((name) => `${name}.timer`),
  );
  t.end();
});

await t.test('systemd knows every setting and every value', needsSystemd, (t) => {
  const directory = copies(t);
  const timers = TIMED.map((name) => `${name}.timer`);
  const paths = [...Object.keys(EXPOSURE), ...timers].map((name) => join(directory, name));
  const { status, stderr } = analyze('verify', '--recursive-errors=no', ...paths);
  t.equal(stderr, '');
  t.equal(status, 0);
  t.end();
});

await t.test('the exposure is no more than was decided', needsSystemd, (t) => {
  const directory = copies(t);
  for (const [name, most] of Object.entries(EXPOSURE)) {
    const options = ['--offline=true', '--no-pager', `--threshold=${most}`];
    const { status, stdout } = analyze('security', ...options, join(directory, name));
    t.equal(status, 0, `${name}: ${/Overall.*/.exec(stdout)?.[0] ?? 'no score'}`);
  }
  t.end();
});

await t.test(
  'no setting is there that does nothing on Debian 12, or stops Node.js or the relay',
  (t) => {
    for (const name of Object.keys(EXPOSURE)) {
      const settings = settingsOf(readFileSync(join(UNITS, name), 'utf8'));
      for (const setting of settings) {
        // systemd 252 in Debian 12 is built without BPF_FRAMEWORK, which the first two need.
        t.notMatch(
          setting,
          /^(SocketBind|RestrictNetworkInterfaces|RestrictFileSystems|MemoryDeny)/,
        );
      }
      t.ok(
        settings.some((line) => /^SystemCallFilter=@.*@pkey/.test(line)),
        'V8 needs @pkey',
      );
    }
    const relay = settingsOf(readFileSync(join(UNITS, 'tidegate.service'), 'utf8'));
    for (const setting of relay) {
      t.notMatch(setting, /^(ProcSubset|User|PrivateUsers|PrivateNetwork)=/);
    }
    t.match(
      relay.find((line) => line.startsWith('SystemCallFilter=@')),
      '@mount',
    );
    t.end();
  },
);

await t.test('the packet filter is loaded before the relay, from the same configuration', (t) => {
  const relay = readFileSync(join(UNITS, 'tidegate.service'), 'utf8');
  const filter = readFileSync(join(UNITS, 'tidegate-nft.service'), 'utf8');
  t.match(relay, /^Requires=tidegate-nft\.service$/m);
  t.match(relay, /^After=tidegate-nft\.service /m);
  const named = (text: string): string | undefined => / (?:run|nft) -c (\S+)/.exec(text)?.[1];
  t.equal(named(filter), named(relay));
  t.end();
});

await t.test('the metrics are those of that relay, written where the unit may write', (t) => {
  const relay = readFileSync(join(UNITS, 'tidegate.service'), 'utf8');
  const unit = readFileSync(join(UNITS, 'tidegate-metrics.service'), 'utf8');
  const [, config, file] = / metrics -c (\S+) --textfile (\S+)$/m.exec(unit) ?? [];
  t.equal(config, / run -c (\S+)/.exec(relay)?.[1]);
  t.match(unit, new RegExp(`^ReadWritePaths=-${dirname(file!)}$`, 'm'));
  t.end();
});

await t.test('the files for containers are what they say', (t) => {
  const compose = readFileSync(join(DEPLOY, 'container', 'compose.yaml'), 'utf8');
  const root = parseDocument(compose, 'compose.yaml').record(['services', 'networks', 'volumes']);
  const names = (field: typeof root.networks) => field!.entries().map(([name]) => name);
  t.same(names(root.networks), ['lower', 'upper']);
  t.same(names(root.services), ['net', 'relay']);
  const seccomp = readFileSync(join(DEPLOY, 'container', 'seccomp-additions.json'), 'utf8');
  t.type(JSON.parse(seccomp), Array);
  t.end();
});

const cannot = spawnSync('nft', ['list', 'tables']).status !== 0;
const needsNft = !required && cannot ? { skip: 'needs nft and the right to use it' } : {};

await t.test('nft accepts the firewalls of the guide', needsNft, (t) => {
  const directory = join(DEPLOY, 'nftables');
  const files = readdirSync(directory);
  t.same(files.sort(), ['inner.nft', 'outer.nft', 'relay.nft']);
  for (const file of files) {
    const { status, stderr } = spawnSync('nft', ['-c', '-f', join(directory, file)], {
      encoding: 'utf8',
    });
    t.equal(status, 0, `${file}: ${stderr}`);
  }
  t.end();
});
