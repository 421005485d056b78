import fc from 'fast-check';
import t from 'tap';
import { AnswerReader, escapeText, MAX_ANSWER, showWords } from '../../src/link/answers.js';

type Answer = readonly [ok: boolean, text: string];

interface Read {
  readonly answers: Answer[];
  readonly discarded: number;
  readonly firstDiscarded: string | undefined;
}

function read(...chunks: readonly (string | Buffer)[]): Read {
  const reader = new AnswerReader();
  const answers: Answer[] = [];
  for (const chunk of chunks) {
    const bytes = typeof chunk === 'string' ? Buffer.from(chunk, 'latin1') : chunk;
    reader.push(bytes, (ok, text) => {
      answers.push([ok, text]);
      return true;
    });
    // The reader keeps no hold of what it was given.
    bytes.fill(0x2b);
  }
  const { discarded, firstDiscarded } = reader;
  return { answers, discarded, firstDiscarded };
}

/** The same grammar, told by a splitter that has the whole text at once. */
function readNaively(text: string): Read {
  const answers: Answer[] = [];
  let discarded = 0;
  let firstDiscarded: string | undefined;
  const lines = text.split('\n');
  const last = lines.pop()!;
  for (const line of lines) {
    const kept = line.slice(0, MAX_ANSWER);
    discarded += line.length - kept.length;
    if (kept.startsWith('+OK')) answers.push([true, '']);
    else if (kept.startsWith('-OK')) answers.push([false, kept.replace(/\r$/, '')]);
    else {
      discarded += kept.length + 1;
      firstDiscarded ??= kept.replace(/\r$/, '');
    }
  }
  discarded += Math.max(0, last.length - MAX_ANSWER);
  return { answers, discarded, firstDiscarded };
}

await t.test('answers are the same wherever the stream is split', (t) => {
  const text =
    'vscpd \xa9 2026\r\n+OK - Success.\r\n-OK - no \x00 such\tthing\r\n\r\n-O\r\n+OK\n-OK\nOK\r\n';
  const expected: Read = {
    answers: [
      [true, ''],
      [false, '-OK - no \x00 such\tthing'],
      [true, ''],
      [false, '-OK'],
    ],
    discarded: 'vscpd \xa9 2026\r\n'.length + '\r\n'.length + '-O\r\n'.length + 'OK\r\n'.length,
    firstDiscarded: 'vscpd \xa9 2026',
  };
  for (let cut = 0; cut <= text.length; cut++) {
    t.strictSame(read(text.slice(0, cut), text.slice(cut)), expected, `cut at ${cut}`);
  }
  t.strictSame(read(...Array.from(text)), expected, 'a byte at a time');
  t.end();
});

await t.test('a +OK carries no text, whatever the server said behind it', (t) => {
  t.strictSame(read('+OK - \x1b[2J evil\r\n').answers, [[true, '']]);
  t.end();
});

await t.test('a line needs its sign first: what looks like an answer further in is none', (t) => {
  const { answers, discarded } = read(' +OK\r\n1,2,3 -OK\r\n\x00-OK\r\n+ok\r\n+O\r\nK\r\n-\n\n');
  t.strictSame(answers, []);
  t.equal(discarded, 6 + 11 + 6 + 5 + 4 + 3 + 2 + 1);
  t.end();
});

await t.test('an answer that is too long is cut, and still an answer', (t) => {
  for (const length of [MAX_ANSWER - 1, MAX_ANSWER, MAX_ANSWER + 1, 5 * MAX_ANSWER]) {
    const line = `-OK ${'x'.repeat(length - 4)}`;
    for (const pieces of [[`${line}\n+OK\n`], [line, '\n+OK\n'], Array.from(`${line}\n+OK\n`)]) {
      const { answers, discarded } = read(...pieces);
      t.strictSame(
        answers,
        [
          [false, line.slice(0, MAX_ANSWER)],
          [true, ''],
        ],
        `${length} bytes in ${pieces.length} pieces`,
      );
      t.equal(discarded, Math.max(0, length - MAX_ANSWER));
    }
  }
  t.end();
});

await t.test('an endless line is counted while it comes, and costs one line of memory', (t) => {
  const reader = new AnswerReader();
  const chunk = Buffer.alloc(64 * 1024, '+OK');
  for (let i = 0; i < 64; i++) reader.push(chunk, () => t.fail('an answer without an end'));
  t.equal(reader.discarded, 64 * chunk.length - MAX_ANSWER);
  t.equal(reader.firstDiscarded, undefined);
  t.end();
});

await t.test('told to stop, the reader looks at nothing more of the chunk', (t) => {
  const reader = new AnswerReader();
  const seen: boolean[] = [];
  reader.push(Buffer.from('+OK\r\n-OK\r\n+OK\r\n'), (ok) => {
    seen.push(ok);
    return seen.length < 2;
  });
  t.strictSame(seen, [true, false]);
  t.end();
});

await t.test('property: any bytes in any pieces give what a naive splitter finds', (t) => {
  const part = fc.oneof(
    fc.constantFrom('+OK', '-OK', '\r\n', '\n', '\r', '-O', '\x00', ' - no', '+OK\r\n', '-OK\n'),
    fc.string({ unit: fc.nat(255).map((code) => String.fromCharCode(code)), maxLength: 8 }),
    fc.integer({ min: MAX_ANSWER - 5, max: MAX_ANSWER + 5 }).map((n) => 'y'.repeat(n)),
  );
  const text = fc.array(part, { maxLength: 30 }).map((parts) => parts.join(''));
  fc.assert(
    fc.property(text, fc.array(fc.integer({ min: 1, max: 700 })), (whole, sizes) => {
      const pieces: string[] = [];
      let at = 0;
      for (const size of sizes) pieces.push(whole.slice(at, (at += size)));
      pieces.push(whole.slice(at));
      t.strictSame(read(...pieces), readNaively(whole));
    }),
    { numRuns: 500 },
  );
  t.end();
});

await t.test('escaped text holds printable ASCII alone and never exceeds its bound', (t) => {
  fc.assert(
    fc.property(
      fc.string({ unit: 'binary', maxLength: 600 }),
      fc.integer({ min: 4, max: 300 }),
      (text, most) => {
        const escaped = escapeText(text, most);
        t.match(escaped, /^[\x20-\x7e]*$/);
        t.ok(escaped.length <= most);
      },
    ),
    { numRuns: 500 },
  );
  t.end();
});

await t.test('every control character is escaped, printable text stays as it is', (t) => {
  for (let code = 0; code < 256; code++) {
    const character = String.fromCharCode(code);
    const printable = code >= 0x20 && code <= 0x7e;
    const expected = printable ? character : `\\x${code.toString(16).padStart(2, '0')}`;
    t.equal(escapeText(`a${character}b`), `a${expected}b`);
  }
  t.equal(escapeText('x'.repeat(300)), 'x'.repeat(256));
  t.equal(escapeText('\n'.repeat(300), 20), '\\x0a\\x0a\\x0a\\x0a\\...');
  t.end();
});

await t.test('of a server’s words the plain ones are shown', (t) => {
  for (const [said, shown] of [
    ['-OK - Invalid username or password.', '-OK - Invalid username or password.'],
    ['-OK - bad command: PASS tell-nobody', '-OK - bad command: PASS ***'],
    ['-OK (sorry), "no" [places]!', '-OK (sorry), "no" [places]!'],
    ['HTTP/1.1 400 Bad Request', '*** Bad Request'],
    ['0,10,6,0,2026-11-22T08:00:00Z,7,FF:FF:FF:FF:FF:FF:FF:FE:B8:27:EB:10:01:02:00:01,1', '***'],
    ['seen at AA:BB:CC:DD and FF:EE', 'seen at *** and ***'],
    ['go \x1b[2J away\x9b', 'go ***'],
    ['0x8A 0x00 17 two', '*** two'],
    ['x'.repeat(80), '***'],
    ['', ''],
  ] as const) {
    t.equal(showWords(said, 'tell-nobody'), shown);
  }
  t.equal(showWords('a b c d', 'tell-nobody', 5), 'a b c');
  t.end();
});

await t.test('nothing of a password is shown, wherever the line was cut', (t) => {
  for (const secret of ['secret', 'correct horse battery', 'pässwörd für morgen']) {
    const bytes = Buffer.from(secret).toString('latin1');
    t.notMatch(showWords(`PASS ${bytes} is wrong`, secret), /secret|correct|horse|morgen|rd/);
    for (let before = 0; before < 40; before++) {
      for (const text of [
        `${'a '.repeat(before)}${bytes.repeat(200)}`,
        `${' '.repeat(before)}${`${bytes} `.repeat(200)}`,
      ]) {
        const shown = showWords(text.slice(0, MAX_ANSWER), secret, MAX_ANSWER);
        if (!/^[a *]*$/.test(shown)) t.fail(shown);
      }
    }
  }
  t.end();
});
