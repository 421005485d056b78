/** The README's board, as it stands there: whoever copies it gets `configuration OK`. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { board } from '../../src/cli/board.js';
import { trusted, upperIdentity } from '../fake/upper-pki.js';

const README = readFileSync(fileURLToPath(new URL('../../README.md', import.meta.url)), 'utf8');

await t.test("the README's configuration and names are right", async (t) => {
  const section = README.slice(README.indexOf('\n### A public board'));
  const [server, names] = [...section.matchAll(/```yaml\n([^]*?)```/g)].map(([, text]) => text!);
  const directory = t.testdir({});
  const write = (name: string, text: string): void => {
    mkdirSync(dirname(join(directory, name)), { recursive: true });
    writeFileSync(join(directory, name), text, { mode: 0o600 });
  };
  const [authority, own] = [await trusted(), await upperIdentity('none')];
  write('board-server.yaml', server!);
  write('board.yaml', names!);
  write('pki/ca.pem', authority.certificate);
  for (const name of ['pki/board', 'page']) {
    write(`${name}.pem`, own.certificate);
    write(`${name}.key`, own.key);
  }
  const secrets = section.match(/secrets\/\w+(?=[;)])/g) ?? [];
  for (const name of secrets) write(name, 'a password\n');
  const said: string[] = [];
  const io = { out: (line: string) => said.push(line), err: (line: string) => said.push(line) };
  const args = ['--check', '-c', join(directory, 'board-server.yaml')];
  t.equal(await board(args, io), 0, said.join('\n'));
  t.match(said, [/configuration OK/]);
  write('board.yaml', names!.replace('unit: celsius', 'unit: celsuis'));
  t.equal(await board(args, io), 1);
  t.match(said[1], /board\.yaml:11:11: unknown unit 'celsuis'; did you mean 'celsius'\?/);
});
