/**
 * Classic BPF as seccomp(2) runs it, slow and plain: a checker and an interpreter.
 *
 * Source: net/core/filter.c (bpf_check_classic), kernel/seccomp.c (seccomp_check_filter).
 */

/** struct seccomp_data (linux/seccomp.h). */
export interface Call {
  readonly nr: number;
  readonly arch: number;
  readonly ip?: bigint;
  readonly args: readonly bigint[];
}

const DATA_SIZE = 64;
const MAX_INSTRUCTIONS = 4096;
const MEMORY_WORDS = 16;

export function packCall({ nr, arch, ip = 0n, args }: Call): Buffer {
  const data = Buffer.alloc(DATA_SIZE);
  data.writeInt32LE(nr | 0, 0);
  data.writeUInt32LE(arch, 4);
  data.writeBigUInt64LE(ip, 8);
  args.forEach((arg, i) => data.writeBigUInt64LE(BigInt.asUintN(64, arg), 16 + 8 * i));
  return data;
}

/** struct sock_filter (linux/filter.h). */
interface Instruction {
  readonly code: number;
  readonly jt: number;
  readonly jf: number;
  readonly k: number;
}

export function encode(...instructions: (readonly [number, number, number, number])[]): Buffer {
  const program = Buffer.alloc(8 * instructions.length);
  instructions.forEach(([code, jt, jf, k], i) => {
    program.writeUInt16LE(code, 8 * i);
    program.writeUInt8(jt, 8 * i + 2);
    program.writeUInt8(jf, 8 * i + 3);
    program.writeUInt32LE(k, 8 * i + 4);
  });
  return program;
}

function decode(program: Buffer): Instruction[] {
  if (program.length === 0 || program.length % 8 !== 0) throw new Error('no whole instructions');
  return Array.from({ length: program.length / 8 }, (_, i) => ({
    code: program.readUInt16LE(8 * i),
    jt: program.readUInt8(8 * i + 2),
    jf: program.readUInt8(8 * i + 3),
    k: program.readUInt32LE(8 * i + 4),
  }));
}

// Names of linux/bpf_common.h, put together.
const LD_ABS = 0x20;
const LD_LEN = 0x80;
const LDX_LEN = 0x81;
const LD_IMM = 0x00;
const LDX_IMM = 0x01;
const LD_MEM = 0x60;
const LDX_MEM = 0x61;
const ST = 0x02;
const STX = 0x03;
const TAX = 0x07;
const TXA = 0x87;
const RET_K = 0x06;
const RET_A = 0x16;
const JA = 0x05;
const NEG = 0x84;

/** For the operand K; X has 8 more. */
const ARITHMETIC: Readonly<Record<number, (a: bigint, b: bigint) => bigint>> = {
  0x04: (a, b) => a + b,
  0x14: (a, b) => a - b,
  0x24: (a, b) => a * b,
  0x34: (a, b) => a / b,
  0x44: (a, b) => a | b,
  0x54: (a, b) => a & b,
  0x64: (a, b) => a << (b & 31n),
  0x74: (a, b) => a >> (b & 31n),
  0xa4: (a, b) => a ^ b,
};
const COMPARISON: Readonly<Record<number, (a: bigint, b: bigint) => boolean>> = {
  0x15: (a, b) => a === b,
  0x25: (a, b) => a > b,
  0x35: (a, b) => a >= b,
  0x45: (a, b) => (a & b) !== 0n,
};
const OPERAND_X = 0x08;

const SIMPLE = [LD_IMM, LDX_IMM, LD_LEN, LDX_LEN, TAX, TXA, RET_K, RET_A, NEG];
const MEMORY = [LD_MEM, LDX_MEM, ST, STX];

/** @throws Error where the kernel would answer EINVAL */
export function checkProgram(program: Buffer): void {
  const instructions = decode(program);
  const { length } = instructions;
  if (length > MAX_INSTRUCTIONS) throw new Error('too many instructions');
  instructions.forEach(({ code, jt, jf, k }, at) => {
    const wrong = (what: string): never => {
      throw new Error(`instruction ${at}: ${what}`);
    };
    const withK = code & ~OPERAND_X;
    if (SIMPLE.includes(code)) return;
    if (code === LD_ABS) {
      if (k % 4 !== 0) wrong('an unaligned load');
      if (k >= DATA_SIZE) wrong('a load out of range');
    } else if (MEMORY.includes(code)) {
      if (k >= MEMORY_WORDS) wrong('a memory word out of range');
    } else if (code === JA) {
      if (at + 1 + k >= length) wrong('a jump out of range');
    } else if (withK in COMPARISON) {
      if (at + 1 + Math.max(jt, jf) >= length) wrong('a jump out of range');
    } else if (withK in ARITHMETIC) {
      if (code === 0x34 && k === 0) wrong('a division by zero');
      if ((code === 0x64 || code === 0x74) && k >= 32) wrong('a shift out of range');
    } else wrong(`unknown code ${code}`);
  });
  checkMemory(instructions);
  const last = instructions.at(-1)!.code;
  if (last !== RET_K && last !== RET_A) throw new Error('no return at the end');
}

/** No word is loaded that some path to the load has not stored. */
function checkMemory(instructions: readonly Instruction[]): void {
  const ALL = (1 << MEMORY_WORDS) - 1;
  const stored = instructions.map(() => ALL);
  stored[0] = 0;
  instructions.forEach(({ code, jt, jf, k }, at) => {
    let words = stored[at]!;
    if (code === ST || code === STX) words |= 1 << k;
    if ((code === LD_MEM || code === LDX_MEM) && (words & (1 << k)) === 0) {
      throw new Error(`instruction ${at}: a load of what was not stored`);
    }
    const next =
      code === JA
        ? [at + 1 + k]
        : (code & ~OPERAND_X) in COMPARISON
          ? [at + 1 + jt, at + 1 + jf]
          : code === RET_K || code === RET_A
            ? []
            : [at + 1];
    for (const to of next) if (to < stored.length) stored[to]! &= words;
  });
}

/**
 * Runs a program over a call.
 *
 * @returns the 32-bit word that the program returns
 * @throws Error on a program that the kernel would not take
 */
export function interpret(program: Buffer, call: Call): number {
  checkProgram(program);
  const instructions = decode(program);
  const data = packCall(call);
  const memory = Array.from({ length: MEMORY_WORDS }, () => 0n);
  let a = 0n;
  let x = 0n;
  for (let at = 0; ; at++) {
    const { code, jt, jf, k: word } = instructions[at]!;
    const k = BigInt(word);
    const withK = code & ~OPERAND_X;
    const operand = code === withK ? k : x;
    if (code === RET_K) return word;
    else if (code === RET_A) return Number(a);
    else if (code === LD_ABS) a = BigInt(data.readUInt32LE(word));
    else if (code === LD_LEN) a = BigInt(DATA_SIZE);
    else if (code === LDX_LEN) x = BigInt(DATA_SIZE);
    else if (code === LD_IMM) a = k;
    else if (code === LDX_IMM) x = k;
    else if (code === LD_MEM) a = memory[word]!;
    else if (code === LDX_MEM) x = memory[word]!;
    else if (code === ST) memory[word] = a;
    else if (code === STX) memory[word] = x;
    else if (code === TAX) x = a;
    else if (code === TXA) a = x;
    else if (code === NEG) a = BigInt.asUintN(32, -a);
    else if (code === JA) at += word;
    else if (COMPARISON[withK]) at += COMPARISON[withK](a, operand) ? jt : jf;
    else if (withK === 0x34 && operand === 0n) return 0;
    else a = BigInt.asUintN(32, ARITHMETIC[withK]!(a, operand));
  }
}

export type Answer = 'allow' | 'EPERM' | 'ENOSYS' | 'kill' | `0x${string}`;

const ANSWERS: Readonly<Record<number, Answer>> = {
  0x7fff_0000: 'allow',
  0x0005_0001: 'EPERM',
  0x0005_0026: 'ENOSYS',
  0x8000_0000: 'kill',
};

/** What a filter says to a call, in words. */
export function answer(program: Buffer, call: Call): Answer {
  const word = interpret(program, call);
  return ANSWERS[word] ?? `0x${word.toString(16)}`;
}
