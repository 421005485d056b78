/** System calls of a running process that are slow, or fail: by strace (Debian package `strace`). */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import type { Test } from 'tap';

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

  private constructor(pid: number, what: readonly string[]) {
    const calls = what.map((each) => each.split(':')[0]!).join(',');
    const args = ['-f', '-p', String(pid), '-e', `trace=${calls}`, '-e', 'signal=none'];
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
   */
  static async begin(t: Test, pid: number, what: readonly string[]): Promise<Injection> {
    const injection = new Injection(
      pid,
      what.map((each) => (each.includes('error=') ? `${each}:syscall=getpid` : each)),
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
