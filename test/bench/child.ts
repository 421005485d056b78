/** A helper process of the benchmark: its printed words, its processor time. */
import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { readUsage, type Usage } from '../../src/supervisor/usage.js';

export class Child {
  readonly process: ChildProcess;
  #text = '';
  #waiting: (() => void)[] = [];

  constructor(name: string, args: readonly string[]) {
    const file = fileURLToPath(new URL(`./${name}.js`, import.meta.url));
    this.process = spawn(process.execPath, [file, ...args], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    this.process.stdout!.on('data', (chunk: Buffer) => {
      this.#text += chunk.toString();
      for (const wake of this.#waiting.splice(0)) wake();
    });
  }

  /** Waits for a line that begins with `word`; the rest of it. */
  async word(word: string): Promise<string> {
    for (;;) {
      const match = new RegExp(`^${word} ?(.*)\\n`, 'm').exec(this.#text);
      if (match) return match[1]!;
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }

  usage(): Usage {
    return readUsage(this.process.pid!) ?? { memory: 0, cpu: 0 };
  }

  stop(): void {
    this.process.kill('SIGKILL');
  }
}
