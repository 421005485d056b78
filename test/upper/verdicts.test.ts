import t from 'tap';
import { attribute, type Verdict } from '../../src/upper/verdicts.js';

/** How a server answers one SEND: accepted, refused by one line, refused by two. */
type Answered = '+' | '-' | '--';

const WAYS: readonly Answered[] = ['+', '-', '--'];
const MOST = 5;

function* worlds(outstanding: number): Generator<Answered[]> {
  if (outstanding === 0) yield [];
  else for (const rest of worlds(outstanding - 1)) for (const way of WAYS) yield [...rest, way];
}

const truth = (world: readonly Answered[]): Verdict[] =>
  world.map((way) => (way === '+' ? 'answered' : 'refused'));

function judge(outstanding: number, answers: string): Verdict[] {
  return attribute(
    outstanding,
    Array.from(answers).map((sign) => sign === '+'),
  );
}

/** The claims that are wrong in this world. */
function lies(world: readonly Answered[], found: readonly Verdict[]): string[] {
  return truth(world).flatMap((verdict, i) =>
    found[i] === verdict || found[i] === 'unclear' ? [] : [`${i} is ${verdict}`],
  );
}

await t.test('what is said for sure is true in every world that gives these answers', (t) => {
  let sure = 0;
  for (let outstanding = 1; outstanding <= MOST; outstanding++) {
    for (const world of worlds(outstanding)) {
      const found = judge(outstanding, world.join(''));
      t.equal(found.length, outstanding);
      t.strictSame(lies(world, found), [], `${world.join(' ')}: ${found.join(' ')}`);
      sure += found.filter((verdict) => verdict !== 'unclear').length;
    }
  }
  t.ok(sure > 500, 'and something is said');
  t.end();
});

await t.test('nor does a refused NOOP behind the answers make it say what is not so', (t) => {
  for (let outstanding = 1; outstanding <= MOST; outstanding++) {
    for (const world of worlds(outstanding)) {
      const found = judge(outstanding, `${world.join('')}-`);
      t.strictSame(lies(world, found), [], `${world.join(' ')} NOOP-: ${found.join(' ')}`);
    }
  }
  t.end();
});

await t.test('answers that have one reading alone are read, whatever the number of lines', (t) => {
  const uniform: [Answered, Answered][] = [
    ['+', '-'],
    ['+', '--'],
  ];
  for (const [accepted, refused] of uniform) {
    for (let outstanding = 1; outstanding <= MOST; outstanding++) {
      for (let bits = 0; bits < 1 << outstanding; bits++) {
        const world = Array.from({ length: outstanding }, (_, i) =>
          (bits >> i) & 1 ? refused : accepted,
        );
        t.strictSame(judge(outstanding, world.join('')), truth(world), world.join(' '));
      }
    }
  }
  t.end();
});

await t.test('where refusals are mixed, what surrounds them is still certain', (t) => {
  const unclear = 'unclear';
  t.strictSame(judge(4, '+---+'), ['answered', unclear, unclear, 'answered']);
  const found = judge(5, '+-+--+');
  t.equal(found[0], 'answered');
  t.equal(found[4], 'answered');
  t.end();
});

await t.test('answers that are missing leave everything unclear', (t) => {
  for (let outstanding = 1; outstanding <= MOST; outstanding++) {
    for (const world of worlds(outstanding)) {
      const answers = world.join('').slice(0, outstanding - 1);
      t.ok(judge(outstanding, answers).every((verdict) => verdict === 'unclear'));
    }
  }
  t.end();
});

await t.test('more +OK than SENDs is no answer to anything', (t) => {
  t.strictSame(judge(2, '+++'), ['unclear', 'unclear']);
  t.strictSame(judge(1, '-++'), ['unclear']);
  t.end();
});
