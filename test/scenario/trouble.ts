/** System calls of a running process that are slow, or fail: by strace (Debian package `strace`). */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import type { Test } from 'tap';

/** A thread that syncs nothing for so long, ms, is not looked for any more. */
const LOOK = 10_000;

/** Whether there is an strace that works here; ends the test as skipped where not. */
export function canTrace(t: Test): boolean {
  const { status } = spawnSync('strace', ['-o', '/dev/null', '/bin/true']);
  if (status === 0) return true;
  if (process.env['TIDEGATE_REQUIRE_ALL'] === '1') throw new Error('strace does not work here');
  t.plan(0, 'needs strace, and the right to trace');
  return false;
}

/** Holds until it is ended; a process that is traced goes on unharmed. */
export class Injection {
  readonly #strace: ChildProcess;
  readonly #ended: Promise<void>;
  said = '';

  private constructor(pid: number, what: readonly string[], follow: readonly string[]) {
    const calls = what.map((each) => each.split(':')[0]!).join(',');
    const args = [...follow, '-p', String(pid), '-e', `trace=${calls}`, '-e', 'signal=none'];
    const inject = what.flatMap((each) => ['-e', `inject=${each}`]);
    this.#strace = spawn('strace', [...args, ...inject, '-o', '/dev/null'], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    this.#strace.stderr!.on('data', (chunk: Buffer) => (this.said += chunk.toString()));
    this.#ended = new Promise((resolve) => this.#strace.on('close', () => resolve()));
  }

  /**
   * @param what strace's `inject` expressions. A call that fails is made another one, which the
   * process's filter allows: in place of none, it would be killed
   * @param alone `pid` is one thread of a process, and no other thread is in trouble
   */
  static async begin(
    t: Test,
    pid: number,
    what: readonly string[],
    alone = false,
  ): Promise<Injection> {
    const injection = new Injection(
      pid,
      what.map((each) => (each.includes('error=') ? `${each}:syscall=getpid` : each)),
      alone ? [] : ['-f'],
    );
    t.teardown(() => injection.end());
    for (let i = 0; i < 500 && !injection.said.includes('attached'); i++) {
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    if (!injection.said.includes('attached')) throw new Error(`strace: ${injection.said}`);
    return injection;
  }

  async end(): Promise<void> {
    this.#strace.kill('SIGINT');
    await this.#ended;
  }
}

/** The thread of a process that makes a file durable, by the end of the file's path; undefined: none did. */
export async function threadThatSyncs(pid: number, file: string): Promise<number | undefined> {
  const args = ['-f', '-y', '-p', String(pid), '-e', 'trace=fdatasync', '-e', 'signal=none'];
  const strace = spawn('strace', args, { stdio: ['ignore', 'ignore', 'pipe'] });
  let found: number | undefined;
  let rest = '';
  const timer = setTimeout(() => strace.kill('SIGINT'), LOOK);
  strace.stderr.setEncoding('utf8').on('data', (text: string) => {
    const lines = (rest + text).split('\n');
    rest = lines.pop()!;
    const line = lines.find((each) => each.includes('fdatasync(') && each.includes(`${file}>`));
    if (line === undefined) return;
    found ??= Number(/^\[pid +(\d+)\]/.exec(line)?.[1] ?? pid);
    strace.kill('SIGINT');
  });
  await new Promise((resolve) => strace.on('close', resolve));
  clearTimeout(timer);
  return found;
}
