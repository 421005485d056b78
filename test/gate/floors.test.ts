import { mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { Floors } from '../../src/gate/floors.js';
import type { Logger } from '../../src/wire/log.js';

const map = (revisions: Record<string, number>) => new Map(Object.entries(revisions));

await t.test('they outlive the log, and the higher one holds', (t) => {
  const errors: unknown[] = [];
  const log = { error: (fields: unknown) => errors.push(fields) } as unknown as Logger;
  const directory = join(t.testdir({}), 'gate');
  const first = new Floors(directory, log);
  t.equal(first.found, undefined);
  t.same(first.raise(map({ a: 2 })), map({ a: 2 }));
  first.keep(map({ a: 2, constructor: 7 }));
  const floors = new Floors(directory, log);
  const { found, path } = floors;
  t.same(found, map({ a: 2, constructor: 7 }));
  t.same(floors.raise(undefined), found);
  t.same(floors.raise(map({ a: 1, b: 3 })), map({ a: 2, b: 3, constructor: 7 }));
  t.same(floors.raise(map({ a: 5 })).get('a'), 5);
  floors.keep(map({}));
  t.same(new Floors(directory, log).found, map({}), 'none, and that is known');
  for (const text of ['', '[]', 'null', '{"a":"1"}', '{"a":-1}', '{"a":1.5}']) {
    writeFileSync(path, text);
    t.equal(new Floors(directory, log).found, undefined, text);
  }
  t.same(errors, []);
  t.end();
});

await t.test('what cannot be kept is said once, and tried again', (t) => {
  const errors: unknown[] = [];
  const log = { error: (fields: unknown) => errors.push(fields) } as unknown as Logger;
  const directory = t.testdir({});
  const floors = new Floors(directory, log);
  const wall = `${floors.path}.new`;
  mkdirSync(wall);
  floors.keep(map({ a: 1 }));
  floors.keep(map({ a: 2 }));
  t.match(errors, [{ event: 'revisions' }]);
  rmdirSync(wall);
  floors.keep(map({ a: 2 }));
  t.equal(readFileSync(floors.path, 'utf8'), '{"a":2}\n');
  t.equal(errors.length, 1);
  t.end();
});
