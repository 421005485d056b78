import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { POLICY_IMPORT_HELP, policyImport } from '../../src/cli/policy-import.js';
import { parsePolicy } from '../../src/policy/parse.js';

const ROW =
  '<row enable="true"><mask class="65535"/><filter class="10"/><action>0x43</action>' +
  '<param>up.example;9598;admin;verysecret;%event</param></row>';
const OTHER = '<row enable="true"><action>0x10</action><param>/bin/true</param></row>';
const LOST = ROW.replace('<action>', '<index>1</index><action>');

/** Runs the command beside a matrix; paths are given without their directory. */
function run(t: Test, xml: string | Uint8Array, args: readonly string[] = []) {
  const directory = t.testdir({});
  const file = join(directory, 'plant matrix.xml');
  writeFileSync(file, xml);
  const out: string[] = [];
  const err: string[] = [];
  const given = args.map((arg) => arg.replace('DIR', directory));
  const status = policyImport(['--dm', file, ...given], {
    out: (line) => out.push(line),
    err: (line) => err.push(line.replaceAll(`${directory}/`, '')),
  });
  return { status, out: out.join('\n'), err, directory };
}

await t.test('the policy is printed, what is said goes beside it', (t) => {
  const { status, out, err } = run(t, `<dm>\n${ROW}\n${OTHER}</dm>`);
  t.equal(status, 0);
  const { id, rules } = parsePolicy(out, 'imported.yaml');
  t.equal(id, 'plant-matrix');
  t.match(rules, [{ name: 'plant-matrix/row-1', to: [{ text: 'upper' }] }]);
  t.equal(err.length, 2);
  t.match(err[0], /^plant matrix\.xml:3:20: row 2: action 0x10 \(run a program\) sends nothing/);
  t.equal(err[1], '2 rows: 1 rule, 0 not carried over, 1 disabled or without a remote server');
  t.notMatch(out + err.join(), /verysecret|admin/);
  t.end();
});

await t.test('rows that are not carried over are a failure, with a policy all the same', (t) => {
  const { status, out, err } = run(t, `<dm>\n${ROW}\n${LOST}</dm>`);
  t.equal(status, 1);
  t.equal(parsePolicy(out, 'imported.yaml').rules.length, 1);
  t.match(err[0], /^plant matrix\.xml:3:\d+: row 2: not carried over: no predicate looks at/);
  t.equal(err[1], '2 rows: 1 rule, 1 not carried over, 0 disabled or without a remote server');
  t.end();
});

await t.test('without a rule there is no policy', (t) => {
  const { status, out, err, directory } = run(t, `<dm>${OTHER}</dm>`, ['-o', 'DIR/out.yaml']);
  t.match({ status, out }, { status: 1, out: '' });
  t.equal(err.at(-1), 'no row is a rule, so there is no policy');
  t.notOk(existsSync(join(directory, 'out.yaml')));
  t.end();
});

await t.test('a file is written, and never overwritten', (t) => {
  const args = ['--out', 'DIR/out.yaml', '--id', 'moved', '--channel', 'public'];
  const { status, out, directory } = run(t, `<dm>${ROW}</dm>`, args);
  t.match({ status, out }, { status: 0, out: '' });
  const file = join(directory, 'out.yaml');
  const policy = readFileSync(file, 'utf8');
  t.match(parsePolicy(policy, file), { id: 'moved', rules: [{ to: [{ text: 'public' }] }] });
  const err: string[] = [];
  const dm = join(directory, 'plant matrix.xml');
  const again = policyImport(['--dm', dm, '-o', file], {
    out: () => t.fail('it is printed'),
    err: (line) => err.push(line),
  });
  t.equal(again, 1);
  t.match(err.at(-1), /EEXIST.*: move it away, or name another file$/);
  t.equal(readFileSync(file, 'utf8'), policy);
  t.end();
});

await t.test('a file that is broken, too large, not UTF-8 or not there', (t) => {
  const broken = run(t, '<dm>\n<row>');
  t.match(broken, {
    status: 1,
    out: '',
    err: [/^plant matrix\.xml:2:5: broken XML: unclosed tag/],
  });
  const large = run(t, `<dm>${' '.repeat(1 << 20)}</dm>`);
  t.match(large, { status: 1, err: [/1:1: the file is larger than 1 MiB/] });
  const latin = run(t, Buffer.from('<dm>\xe5</dm>', 'latin1'));
  t.match(latin, { status: 1, err: [/1:1: the file is not UTF-8/] });
  const err: string[] = [];
  const io = { out: () => t.fail('it is printed'), err: (line: string) => err.push(line) };
  t.equal(policyImport(['--dm', '/nonexistent/dm.xml'], io), 1);
  t.equal(policyImport(['--dm', '/'], io), 1);
  t.equal(policyImport(['--dm', '/dev/zero'], io), 1, 'what never ends is not read whole');
  t.match(err, [/ENOENT/, /EISDIR/, /larger than 1 MiB/]);
  t.end();
});

await t.test('the zone of the times', (t) => {
  const xml = `<dm>${ROW.replace('<action>', '<allowed_time>* 6:*:*</allowed_time><action>')}</dm>`;
  const guessed = run(t, xml);
  t.match(guessed.err, [/taken for UTC: name its zone \(--zone\)/, /^1 row: 1 rule/]);
  t.match(guessed.out, 'time: { zone: UTC, daily: ["06:00-07:00"] }');
  const named = run(t, xml, ['--zone', 'Europe/Stockholm']);
  t.match(named.out, 'zone: Europe/Stockholm');
  t.equal(named.err.length, 1);
  t.end();
});

/** [arguments, part of the message] */
const WRONG: readonly (readonly [readonly string[], RegExp])[] = [
  [[], /--dm is missing/],
  [['--md', 'x'], /unknown option "--md"/],
  [['--dm', 'x', 'y'], /unexpected argument "y"/],
  [['--dm', 'x', '--id', '-a'], /--id/],
  [['--dm', 'x', '--id', 'a b'], /--id "a b" is no name/],
  [['--dm', 'x', '--channel', 'a:b'], /--channel "a:b" is no name/],
  [['--dm', 'x', '--channel', 'a'.repeat(59)], /is no name/],
  [['--dm', 'x', '--zone', 'Berlin'], /--zone "Berlin" is no time zone/],
  [['--dm', 'x', '--zone', 'Europe/Atlantis'], /is no time zone/],
];

await t.test('a wrong command line', (t) => {
  for (const [args, message] of WRONG) {
    const err: string[] = [];
    t.equal(
      policyImport(args, { out: () => t.fail('it is printed'), err: (line) => err.push(line) }),
      2,
    );
    t.match(err, [message]);
    t.match(err[0], /^tidegate policy import: .*\(see tidegate policy import --help\)$/);
  }
  t.end();
});

await t.test('help', (t) => {
  const out: string[] = [];
  t.equal(
    policyImport(['-h'], { out: (line) => out.push(line), err: () => t.fail('it is an error') }),
    0,
  );
  t.same(out, [POLICY_IMPORT_HELP]);
  t.ok(POLICY_IMPORT_HELP.split('\n').every((line) => line.length <= 100));
  t.end();
});
