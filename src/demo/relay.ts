/** The demo's relay: the real supervisor, started and ended as an operator would. */
import { type ChildProcess, spawn } from 'node:child_process';
import { openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { asSupervisor } from '../wire/parent.js';

export class DemoRelay {
  /** Aborted when the relay has ended, whoever ended it. */
  readonly ended: AbortSignal;
  readonly #process: ChildProcess;
  readonly #log: string;
  readonly #exit: Promise<void>;

  constructor(state: string, config: string) {
    this.#log = join(state, 'demo', 'relay.log');
    const log = openSync(this.#log, 'a', 0o600);
    const entry = fileURLToPath(new URL('../supervisor/main.js', import.meta.url));
    const [command, args] = asSupervisor([process.execPath, entry, 'tidegate', '-c', config]);
    // A session of its own: a terminal's Ctrl-C is the demo's to answer.
    this.#process = spawn(command, args, { stdio: ['ignore', log, log], detached: true });
    const ended = new AbortController();
    this.ended = ended.signal;
    this.#exit = new Promise((resolve) => {
      const end = (): void => {
        ended.abort();
        resolve();
      };
      this.#process.on('exit', end);
      this.#process.on('error', end);
    });
  }

  async stop(): Promise<void> {
    this.#process.kill('SIGTERM');
    await this.#exit;
  }

  /** The last lines of the relay's log. */
  lastWords(): string[] {
    return readFileSync(this.#log, 'utf8').trimEnd().split('\n').slice(-5);
  }
}
