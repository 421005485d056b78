import t from 'tap';
import type { Cause } from '../../src/wire/exit.js';
import { UpperSession } from '../../src/upper/session.js';

function begin() {
  const written: string[] = [];
  const answers: [boolean, string][] = [];
  const ends: [Cause, string][] = [];
  let ready = 0;
  const session = new UpperSession('relay', 'secret', {
    write: (text) => void written.push(text),
    ready: () => {
      ready++;
    },
    answer: (ok, text) => void answers.push([ok, text]),
    end: (cause, text) => void ends.push([cause, text]),
  });
  const take = (text: string): void => session.take(Buffer.from(text, 'latin1'));
  return { session, written, answers, ends, take, readies: () => ready };
}

/** A session that is logged in. */
function logIn() {
  const known = begin();
  known.session.begin();
  known.take('+OK\r\n+OK\r\n+OK\r\n');
  return known;
}

await t.test('one command after another, each when the one before it is answered', (t) => {
  const { session, written, answers, take, readies } = begin();
  t.notOk(session.begun);
  session.begin();
  t.ok(session.begun);
  t.strictSame(written, [], 'the server greets first');
  take('fake upper\r\nVersion 1\r\n+O');
  t.strictSame(written, []);
  take('K - Success.\r\n');
  t.strictSame(written.splice(0), ['USER relay\r\n']);
  take('please wait\r\n');
  t.strictSame(written, []);
  take('+OK\r\n');
  t.strictSame(written.splice(0), ['PASS secret\r\n']);
  t.notOk(session.ready);
  take('+OK - Success.\r\n');
  t.ok(session.ready);
  t.equal(readies(), 1);
  take('+OK\r\n-OK - no\r\nnoise\r\n+OK\r\n');
  t.strictSame(answers, [
    [true, ''],
    [false, '-OK - no'],
    [true, ''],
  ]);
  t.strictSame(written, [], 'and the session writes nothing more');
  t.equal(session.discarded, 'fake upper\r\nVersion 1\r\nplease wait\r\nnoise\r\n'.length);
  t.end();
});

await t.test('a refusal says at which step, in the plain words of the server', (t) => {
  for (const [before, step] of [
    ['', 'greeting'],
    ['+OK\r\n', 'USER'],
    ['+OK\r\n+OK\r\n', 'PASS'],
  ] as const) {
    const { session, ends, take } = begin();
    session.begin();
    take(`${before}-OK - go\x1b[2J away\r\n`);
    t.strictSame(ends, [['refused', `the server refused (${step}): -OK - *** away`]]);
    t.notOk(session.ready);
  }
  t.end();
});

await t.test('a login without an answer ends, at whichever step it hangs', (t) => {
  for (const [said, step] of [
    [undefined, 'handshake'],
    ['', 'greeting'],
    ['+OK\r\n', 'USER'],
    ['+OK\r\n+OK\r\n', 'PASS'],
  ] as const) {
    const { session, ends, take } = begin();
    if (said !== undefined) {
      session.begin();
      take(said);
    }
    let ticks = 0;
    while (ends.length === 0 && ticks++ < 100) {
      session.tick(false, 250);
      // Lines that are no answers do not keep a login alive.
      if (said !== undefined) take('still here\r\n');
    }
    t.strictSame(ends, [['silence', `no answer in time (${step})`]]);
    t.equal(ticks, 21, 'after five seconds');
  }
  t.end();
});

await t.test('an awaited answer is awaited ten seconds; an idle link needs none', (t) => {
  const { session, ends, take } = logIn();
  for (let i = 0; i < 1000; i++) session.tick(false, 250);
  t.strictSame(ends, []);
  for (let i = 0; i < 39; i++) session.tick(true, 250);
  t.strictSame(ends, []);
  take('+OK\r\n');
  for (let i = 0; i < 40; i++) session.tick(true, 250);
  t.strictSame(ends, [], 'an answer starts it afresh');
  take('noise\r\n');
  session.tick(true, 250);
  t.strictSame(ends, [['silence', 'no answer in time (SEND)']]);
  const stopped = logIn();
  stopped.session.tick(true, 3_600_000);
  t.strictSame(stopped.ends, [], 'an hour of being stopped is no silence of the server');
  t.end();
});

await t.test(
  'a megabyte of no answers ends the session, a line or none, before login or after',
  (t) => {
    const line = `plain ${'x'.repeat(992)}\r\n`;
    for (const [known, said] of [
      [begin(), /^the server sends what is no answer, beginning with: plain \*\*\*$/],
      [logIn(), /^the server sends what is no answer: more than 1 MiB since its last answer$/],
    ] as const) {
      if (!known.session.begun) known.session.begin();
      for (const noise of [line, `plain ${'x'.repeat(994)}`]) {
        let sent = 0;
        known.ends.length = 0;
        while (known.ends.length === 0 && sent < 4e6) {
          known.take(noise);
          sent += noise.length;
        }
        t.equal(known.ends[0]?.[0], 'babble');
        t.match(known.ends[0]?.[1], said);
        t.ok(sent >= 2 ** 20 && sent < 2 ** 20 + 4096, `${sent} bytes`);
        known.take('\r\n+OK\r\n');
      }
    }
    t.end();
  },
);

await t.test('an endless line from the first byte on has no beginning to show', (t) => {
  const { session, ends, take } = begin();
  session.begin();
  while (ends.length === 0) take('\x00'.repeat(65536));
  t.strictSame(ends[0], [
    'babble',
    'the server sends what is no answer, beginning with: an endless line',
  ]);
  t.end();
});
