/**
 * An assembler for classic BPF as seccomp(2) takes it, which prints what it makes.
 *
 * Source: linux/filter.h, linux/bpf_common.h, linux/seccomp.h. Few instructions are enough: load a
 * word of seccomp_data, compare, mask, return.
 */

/** Actions, in the upper half of a returned word (linux/seccomp.h). */
const RET_KILL_PROCESS = 0x8000_0000;
const RET_ERRNO = 0x0005_0000;
const RET_ALLOW = 0x7fff_0000;

const LD_W_ABS = 0x20;
const ALU_AND_K = 0x54;
const JMP_JEQ_K = 0x15;
const JMP_JGE_K = 0x35;
const JMP_JSET_K = 0x45;
const RET_K = 0x06;

/** Offsets in struct seccomp_data; both architectures are little-endian. */
const OFFSET_NR = 0;
const OFFSET_ARCH = 4;
const OFFSET_ARGS = 16;

/** A conditional jump reaches this many instructions (8 bits). */
const REACH = 255;

interface Instruction {
  readonly code: number;
  readonly k: number;
  /** Labels; a jump without one goes on with the next instruction. */
  readonly yes?: string | undefined;
  readonly no?: string | undefined;
  readonly text: string;
}

const hex = (value: number): string => `0x${value.toString(16)}`;

/** A program under construction; jumps go forward, to labels that are placed later. */
export class Assembler {
  readonly #instructions: Instruction[] = [];
  readonly #labels = new Map<string, number>();

  /** Instructions so far. */
  get length(): number {
    return this.#instructions.length;
  }

  loadNumber(): void {
    this.#add({ code: LD_W_ABS, k: OFFSET_NR, text: 'ld  syscall' });
  }

  loadArchitecture(): void {
    this.#add({ code: LD_W_ABS, k: OFFSET_ARCH, text: 'ld  architecture' });
  }

  /**
   * Loads the low 32 bits of an argument: the kernel takes descriptors, flags and commands as
   * 32-bit numbers, so that 0x100000000 is descriptor 0 (a comparison of 64 bits is a hole).
   */
  loadArgument(index: number): void {
    const k = OFFSET_ARGS + 8 * index;
    this.#add({ code: LD_W_ABS, k, text: `ld  low32(argument ${index})` });
  }

  mask(bits: number): void {
    this.#add({ code: ALU_AND_K, k: bits, text: `and ${hex(bits)}` });
  }

  /** Jumps to `yes` if the loaded word equals `value`, else to `no`; either may be the next. */
  equal(value: number, yes: string | undefined, no: string | undefined, what = hex(value)): void {
    this.#jump(JMP_JEQ_K, '==', value, yes, no, what);
  }

  atLeast(value: number, yes: string | undefined, no: string | undefined): void {
    this.#jump(JMP_JGE_K, '>=', value, yes, no, hex(value));
  }

  anyBit(bits: number, yes: string | undefined, no: string | undefined): void {
    this.#jump(JMP_JSET_K, '&', bits, yes, no, hex(bits));
  }

  allow(): void {
    this.#add({ code: RET_K, k: RET_ALLOW, text: 'ret allow' });
  }

  /** The call fails with this error and is not made. */
  fail(errno: number, name: string): void {
    this.#add({ code: RET_K, k: RET_ERRNO | errno, text: `ret ${name}` });
  }

  kill(): void {
    this.#add({ code: RET_K, k: RET_KILL_PROCESS, text: 'ret kill the process' });
  }

  label(name: string): void {
    if (this.#labels.has(name)) throw new Error(`label ${name} is placed twice`);
    this.#labels.set(name, this.#instructions.length);
  }

  /**
   * The program as an array of struct sock_filter, 8 bytes each.
   *
   * @throws Error if a jump goes nowhere, backward or too far: a bug
   */
  assemble(): Buffer {
    const bytes = Buffer.alloc(8 * this.#instructions.length);
    this.#instructions.forEach(({ code, k, yes, no }, at) => {
      bytes.writeUInt16LE(code, 8 * at);
      bytes.writeUInt8(this.#distance(at, yes), 8 * at + 2);
      bytes.writeUInt8(this.#distance(at, no), 8 * at + 3);
      bytes.writeUInt32LE(k >>> 0, 8 * at + 4);
    });
    return bytes;
  }

  /** One line an instruction, with the labels: for whoever has to believe it. */
  list(): string[] {
    const labelsAt = (i: number): string[] =>
      [...this.#labels].filter(([, place]) => place === i).map(([name]) => `${name}:`);
    return this.#instructions.flatMap(({ text, yes, no }, i) => {
      const targets = [yes && `then ${yes}`, no && `else ${no}`].filter(Boolean).join(', ');
      const line = `${String(i).padStart(4)}  ${text}${targets === '' ? '' : `  ${targets}`}`;
      return [...labelsAt(i), line];
    });
  }

  #add(instruction: Instruction): void {
    this.#instructions.push(instruction);
  }

  #jump(
    code: number,
    sign: string,
    k: number,
    yes: string | undefined,
    no: string | undefined,
    what: string,
  ): void {
    this.#add({ code, k, yes, no, text: `if ${sign} ${what}` });
  }

  #distance(at: number, label: string | undefined): number {
    if (label === undefined) return 0;
    const target = this.#labels.get(label);
    if (target === undefined || target === this.#instructions.length) {
      throw new Error(`label ${label} is not placed before an instruction`);
    }
    const distance = target - at - 1;
    if (distance < 0 || distance > REACH) throw new Error(`label ${label} is out of reach`);
    return distance;
  }
}
