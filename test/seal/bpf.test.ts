/** The assembler: what it refuses, what it prints, and that its programs do what was written. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import t from 'tap';
import { Assembler } from '../../src/seal/bpf.js';
import { compileFilter, type FilterName, FILTERS } from '../../src/seal/filters.js';
import { SYSCALLS, syscallNumber } from '../../src/seal/syscalls.js';
import { answer, type Answer, type Call, checkProgram, encode, interpret } from './interpreter.js';

const CALL: Call = { nr: 39, arch: 0xc000_003e, args: [1n, 2n, 3n, 4n, 5n, (6n << 32n) | 7n] };

await t.test('a label is placed once', (t) => {
  const asm = new Assembler();
  asm.label('here');
  asm.allow();
  t.throws(() => asm.label('here'), { message: 'label here is placed twice' });
  t.end();
});

await t.test('a jump goes to a label, and forward', (t) => {
  const missing = new Assembler();
  missing.equal(1, 'nowhere', undefined);
  missing.allow();
  t.throws(() => missing.assemble(), { message: 'label nowhere is not placed' });

  const backward = new Assembler();
  backward.label('start');
  backward.loadNumber();
  backward.equal(1, undefined, 'start');
  backward.allow();
  t.throws(() => backward.assemble(), { message: 'label start is out of reach' });

  const itself = new Assembler();
  itself.label('itself');
  itself.equal(1, 'itself', undefined);
  itself.allow();
  t.throws(() => itself.assemble(), { message: 'label itself is out of reach' });
  t.end();
});

await t.test('a jump reaches 255 instructions', (t) => {
  const over = (between: number): Assembler => {
    const asm = new Assembler();
    asm.loadNumber();
    asm.equal(CALL.nr, 'far', undefined);
    for (let i = 0; i < between; i++) asm.fail(1, 'EPERM');
    asm.label('far');
    asm.allow();
    return asm;
  };
  t.equal(answer(over(255).assemble(), CALL), 'allow');
  t.throws(() => over(256).assemble(), { message: 'label far is out of reach' });
  t.end();
});

await t.test('instructions have the bytes of struct sock_filter', (t) => {
  const asm = new Assembler();
  asm.loadArchitecture();
  asm.equal(0xc000_003e, undefined, 'kill', 'x86-64');
  asm.loadArgument(5);
  asm.mask(0xf);
  asm.anyBit(8, 'kill', undefined);
  asm.atLeast(7, undefined, 'kill');
  asm.allow();
  asm.label('kill');
  asm.kill();
  t.equal(asm.length, 8);
  t.same(
    asm.assemble(),
    encode(
      [0x20, 0, 0, 4],
      [0x15, 0, 5, 0xc000_003e],
      [0x20, 0, 0, 56],
      [0x54, 0, 0, 0xf],
      [0x45, 2, 0, 8],
      [0x35, 0, 1, 7],
      [0x06, 0, 0, 0x7fff_0000],
      [0x06, 0, 0, 0x8000_0000],
    ),
  );
  t.same(asm.list(), [
    '   0  ld  architecture',
    '   1  if == x86-64  else kill',
    '   2  ld  low32(argument 5)',
    '   3  and 0xf',
    '   4  if & 0x8  then kill',
    '   5  if >= 0x7  else kill',
    '   6  ret allow',
    'kill:',
    '   7  ret kill the process',
  ]);
  t.end();
});

await t.test('a listing has every instruction once, and a place for every label', (t) => {
  for (const role of Object.keys(FILTERS) as FilterName[]) {
    for (const architecture of ['x64', 'arm64'] as const) {
      const { program, listing } = compileFilter(role, architecture);
      const labels = listing.filter((line) => line.endsWith(':')).map((line) => line.slice(0, -1));
      const instructions = listing.filter((line) => !line.endsWith(':'));
      const count = program.length / 8;
      t.same(
        instructions.map((line) => Number(/^ *(\d+) {2}\S/.exec(line)![1])),
        Array.from({ length: count }, (_, i) => i),
      );
      t.equal(new Set(labels).size, labels.length);
      const targets = instructions.flatMap((line) =>
        [...line.matchAll(/(?:then|else) ([^,]+)/g)].map((match) => match[1]!),
      );
      for (const target of new Set(targets)) t.ok(labels.includes(target), target);
      for (const name of SYSCALLS) {
        const number = syscallNumber(name, architecture);
        const named = instructions.filter((line) => line.includes(`== ${name} (${number!})`));
        const inTable = number !== undefined && (FILTERS[role] as Map<string, unknown>).has(name);
        t.equal(named.length, inTable ? 1 : 0, `${role}: ${name}`);
      }
    }
  }
  t.end();
});

/** A step of a program, with jumps as numbers of steps to skip; 0: the next. */
type Step =
  | { readonly kind: 'number' | 'architecture' | 'allow' | 'kill' }
  | { readonly kind: 'argument' | 'mask' | 'fail'; readonly value: number }
  | {
      readonly kind: 'equal' | 'atLeast' | 'anyBit';
      readonly value: number;
      readonly yes: number;
      readonly no: number;
    };

const value = fc.oneof(
  fc.nat(12),
  fc.constantFrom(0xffff_ffff, 0x8000_0000, 0xc000_003e, 39),
  fc.integer({ min: 0, max: 0xffff_ffff }),
);
const jump = fc.oneof(fc.nat(3), fc.nat(30));
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ kind: fc.constantFrom('number' as const, 'architecture' as const) }),
  fc.record({ kind: fc.constant('argument' as const), value: fc.nat(5) }),
  fc.record({ kind: fc.constant('mask' as const), value }),
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constantFrom('equal' as const, 'atLeast' as const, 'anyBit' as const),
      value,
      yes: jump,
      no: jump,
    }),
  },
  fc.oneof(
    fc.record({ kind: fc.constantFrom('allow' as const, 'kill' as const) }),
    fc.record({ kind: fc.constant('fail' as const), value: fc.constantFrom(1, 38) }),
  ),
);

/** The last steps, to which what would jump too far goes. */
const ENDS: readonly Step[] = [{ kind: 'kill' }, { kind: 'allow' }];

function evaluate(steps: readonly Step[], { nr, arch, args }: Call): Answer {
  const last = steps.length - 1;
  let loaded = 0n;
  for (let at = 0; ;) {
    const step = steps[at]!;
    let skip = 0;
    const choose = (holds: boolean): void => {
      if ('yes' in step) skip = holds ? step.yes : step.no;
    };
    const operand = 'value' in step ? BigInt(step.value) : 0n;
    if (step.kind === 'allow') return 'allow';
    else if (step.kind === 'kill') return 'kill';
    else if (step.kind === 'fail') return step.value === 1 ? 'EPERM' : 'ENOSYS';
    else if (step.kind === 'number') loaded = BigInt(nr);
    else if (step.kind === 'architecture') loaded = BigInt(arch);
    else if (step.kind === 'argument') loaded = args[step.value]! % 2n ** 32n;
    else if (step.kind === 'mask') loaded &= operand;
    else if (step.kind === 'equal') choose(loaded === operand);
    else if (step.kind === 'atLeast') choose(loaded >= operand);
    else choose((loaded & operand) !== 0n);
    at = Math.min(at + 1 + skip, last);
  }
}

function assembleSteps(steps: readonly Step[]): Buffer {
  const asm = new Assembler();
  const last = steps.length - 1;
  steps.forEach((step, at) => {
    asm.label(String(at));
    const target = (skip: number): string | undefined =>
      skip === 0 ? undefined : String(Math.min(at + 1 + skip, last));
    if ('yes' in step) asm[step.kind](step.value, target(step.yes), target(step.no));
    else if (step.kind === 'allow') asm.allow();
    else if (step.kind === 'kill') asm.kill();
    else if (step.kind === 'fail') asm.fail(step.value, `error ${step.value}`);
    else if (step.kind === 'number') asm.loadNumber();
    else if (step.kind === 'architecture') asm.loadArchitecture();
    else if (step.kind === 'argument') asm.loadArgument(step.value);
    else if ('value' in step) asm.mask(step.value);
  });
  return asm.assemble();
}

await t.test('a program does what its steps say', (t) => {
  const call: fc.Arbitrary<Call> = fc.record({
    nr: fc.nat(50),
    arch: fc.constantFrom(0xc000_003e, 0xc000_00b7),
    args: fc.array(
      fc.oneof(fc.bigInt(0n, 12n), fc.bigInt(0n, 2n ** 64n - 1n), fc.constant(2n ** 32n)),
      { minLength: 6, maxLength: 6 },
    ),
  });
  const seen: Partial<Record<Answer, number>> = {};
  const programs = fc.array(step, { maxLength: 40 }).map((steps) => [...steps, ...ENDS]);
  fc.assert(
    fc.property(programs, fc.array(call, { minLength: 1, maxLength: 5 }), (steps, calls) => {
      const program = assembleSteps(steps);
      for (const call of calls) {
        const expected = evaluate(steps, call);
        assert.equal(answer(program, call), expected);
        seen[expected] = (seen[expected] ?? 0) + 1;
      }
    }),
    { numRuns: 3000 },
  );
  for (const what of ['allow', 'EPERM', 'ENOSYS', 'kill'] as const) {
    t.ok(seen[what]! > 300, `${what}: ${seen[what]!}`);
  }
  t.end();
});

await t.test('the interpreter takes what the kernel takes, and nothing else', (t) => {
  const RET = [0x06, 0, 0, 0x7fff_0000] as const;
  const taken = (...program: Parameters<typeof encode>): number =>
    interpret(encode(...program), CALL);
  const refused = (what: RegExp, ...program: Parameters<typeof encode>): void => {
    t.throws(() => checkProgram(encode(...program)), { message: what }, String(what));
  };
  refused(/no whole instructions/);
  t.throws(() => checkProgram(Buffer.alloc(12)), { message: /no whole instructions/ });
  refused(/no return/, [0x20, 0, 0, 0]);
  refused(/no return/, RET, [0x20, 0, 0, 0]);
  refused(/too many/, ...Array.from({ length: 4097 }, () => RET));
  t.equal(taken(...Array.from({ length: 4096 }, () => RET)), 0x7fff_0000);
  refused(/unaligned/, [0x20, 0, 0, 2], RET);
  refused(/load out of range/, [0x20, 0, 0, 64], RET);
  refused(/jump out of range/, [0x15, 1, 0, 0], RET);
  refused(/jump out of range/, [0x15, 0, 1, 0], RET);
  refused(/jump out of range/, [0x05, 0, 0, 1], RET);
  refused(/jump out of range/, [0x05, 0, 0, 0xffff_ffff], RET);
  refused(/division by zero/, [0x34, 0, 0, 0], RET);
  refused(/shift/, [0x64, 0, 0, 32], RET);
  refused(/memory word/, [0x02, 0, 0, 16], RET);
  refused(/not stored/, [0x60, 0, 0, 3], RET);
  refused(/not stored/, [0x15, 1, 0, 0], [0x02, 0, 0, 3], [0x60, 0, 0, 3], RET);
  // Half words, indirect loads, remainders: filters of packets have them, those of calls do not.
  for (const code of [0x28, 0x30, 0x40, 0x94, 0x9c, 0xb1, 0x46, 0xffff]) {
    refused(/unknown code/, [code, 0, 0, 0], RET);
  }
  const A = [0x16, 0, 0, 0] as const;
  t.equal(taken([0x00, 0, 0, 7], A), 7);
  t.equal(taken([0x80, 0, 0, 0], A), 64);
  t.equal(taken([0x81, 0, 0, 0], [0x87, 0, 0, 0], A), 64);
  t.equal(taken([0x01, 0, 0, 9], [0x03, 0, 0, 2], [0x60, 0, 0, 2], A), 9);
  t.equal(taken([0x00, 0, 0, 8], [0x02, 0, 0, 2], [0x61, 0, 0, 2], [0x87, 0, 0, 0], A), 8);
  t.equal(taken([0x00, 0, 0, 6], [0x07, 0, 0, 0], [0x24, 0, 0, 7], [0x0c, 0, 0, 0], A), 48);
  t.equal(taken([0x00, 0, 0, 0], [0x14, 0, 0, 1], A), 0xffff_ffff);
  t.equal(taken([0x00, 0, 0, 1], [0x84, 0, 0, 0], A), 0xffff_ffff);
  t.equal(taken([0x00, 0, 0, 9], [0x3c, 0, 0, 0], A), 0);
  t.equal(taken([0x00, 0, 0, 9], [0x34, 0, 0, 2], A), 4);
  t.equal(taken([0x00, 0, 0, 1], [0x64, 0, 0, 31], [0x74, 0, 0, 30], A), 2);
  t.equal(taken([0x00, 0, 0, 12], [0x44, 0, 0, 3], [0xa4, 0, 0, 5], A), 10);
  t.equal(taken([0x05, 0, 0, 1], [0x06, 0, 0, 1], [0x06, 0, 0, 2]), 2);
  t.equal(taken([0x20, 0, 0, 16], [0x25, 0, 1, 0], [0x06, 0, 0, 3], RET), 3);
  t.equal(taken([0x20, 0, 0, 60], A), 6);
  t.end();
});
