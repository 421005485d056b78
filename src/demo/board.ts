/** The demo's board: the real process, on free ports. */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { withParent } from '../wire/parent.js';

const PATIENCE = 15_000;
const LOOK_EVERY = 20;

export class DemoBoard {
  /** Of its listener for relays. */
  port = 0;
  /** Of its page. */
  address = '';
  readonly #process: ChildProcess;
  readonly #log: string;
  readonly #exit: Promise<void>;

  constructor(state: string, config: string) {
    this.#log = join(state, 'demo', 'board.log');
    const log = openSync(this.#log, 'w', 0o600);
    const main = fileURLToPath(new URL('../board/main.js', import.meta.url));
    const [command, args] = withParent([process.execPath, main, '-c', config], 'TERM');
    this.#process = spawn(command, args, { stdio: ['ignore', log, log], detached: true });
    closeSync(log);
    this.#exit = new Promise((resolve) => {
      this.#process.on('exit', () => resolve());
      this.#process.on('error', () => resolve());
    });
  }

  /** Waits until it listens. @throws Error with its last words */
  async listening(): Promise<void> {
    const until = performance.now() + PATIENCE;
    for (;;) {
      const lines = readFileSync(this.#log, 'utf8').trimEnd().split('\n');
      const line = lines.find((each) => each.includes('"event":"listening"'));
      if (line !== undefined) {
        const { link, public: page } = JSON.parse(line) as { link: number; public: number };
        this.port = link;
        this.address = `http://127.0.0.1:${page}/`;
        return;
      }
      if (performance.now() > until || this.#process.exitCode !== null) {
        throw new Error(`the board did not come up: ${lines.at(-1) ?? ''}`);
      }
      await sleep(LOOK_EVERY);
    }
  }

  async stop(): Promise<void> {
    this.#process.kill('SIGTERM');
    await this.#exit;
  }
}
