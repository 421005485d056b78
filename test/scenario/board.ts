/** A board of its real process for one test, with the certificates that relays of tests trust. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Test } from 'tap';
import { trusted, upperIdentity } from '../fake/upper-pki.js';
import { PATIENCE } from './relay.js';

const MAIN = fileURLToPath(new URL('../../dist/board/main.js', import.meta.url));

export interface BoardOptions {
  /** Text of the names file. */
  readonly names?: string;
  /** More of the configuration, as YAML. */
  readonly more?: string;
  /** Public key of the relay's audit log, a file or a line. */
  readonly auditKey?: string;
  /** Of an earlier board, to go on with its history. */
  readonly directory?: string;
  /** Of an earlier board, whose relay comes back to it; 0: any free one. */
  readonly linkPort?: number;
}

export class RunningBoard {
  readonly directory: string;
  linkPort = 0;
  publicPort = 0;
  /** Everything that it has said. */
  log = '';
  readonly process: ChildProcess;
  readonly #ended: Promise<number | null>;

  constructor(directory: string) {
    this.directory = directory;
    const config = join(directory, 'board-server.yaml');
    this.process = spawn(process.execPath, [MAIN, '-c', config], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    this.#ended = new Promise((resolve) => this.process.on('close', resolve));
  }

  async listening(): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.process.stderr!.setEncoding('utf8').on('data', (text: string) => {
        this.log += text;
        const line = this.log.split('\n').find((each) => each.includes('"event":"listening"'));
        if (line?.endsWith('}') !== true) return;
        const said = JSON.parse(line) as { link: number; public: number };
        this.linkPort = said.link;
        this.publicPort = said.public;
        resolve();
      });
      void this.#ended.then(() => reject(new Error(`the board ended: ${this.log}`)));
    });
  }

  get address(): string {
    return `http://127.0.0.1:${this.publicPort}`;
  }

  async json<T>(path: string): Promise<T> {
    const response = await fetch(`${this.address}${path}`);
    if (!response.ok) throw new Error(`${path}: ${response.status}`);
    return (await response.json()) as T;
  }

  /** Waits until something is true of it. */
  async until(condition: () => Promise<boolean>, what: string): Promise<void> {
    const deadline = performance.now() + PATIENCE;
    while (!(await condition())) {
      if (performance.now() > deadline) throw new Error(`not in time: ${what}; ${this.log}`);
      await sleep(50);
    }
  }

  async kill(): Promise<void> {
    this.process.kill('SIGKILL');
    await this.#ended;
  }

  async stop(): Promise<number | null> {
    this.process.kill('SIGTERM');
    return this.#ended;
  }
}

/** Starts a board that ends with the test. */
export async function startBoard(t: Test, options: BoardOptions = {}): Promise<RunningBoard> {
  const directory = options.directory ?? mkdtempSync(join(tmpdir(), 'tidegate-board-'));
  if (options.directory === undefined) t.teardown(() => rmSync(directory, { recursive: true }));
  const [authority, own] = [await trusted(), await upperIdentity('none')];
  const write = (name: string, text: string): void => {
    writeFileSync(join(directory, name), text, { mode: 0o600 });
  };
  write('ca.pem', authority.certificate);
  write('board.pem', own.certificate);
  write('board.key', own.key);
  write('password', 'secret');
  if (options.names !== undefined) write('board.yaml', options.names);
  const auditKey = options.auditKey === undefined ? '' : `, audit_key: ${options.auditKey}`;
  write(
    'board-server.yaml',
    `schema: tidegate-board/v1
state: state
${options.names === undefined ? '' : 'names: board.yaml'}
link:
  port: ${options.linkPort ?? 0}
  tls: { cert: board.pem, key: board.key, ca: ca.pem }
  users:
    relay: { may: send, password_file: password, certificate: relay${auditKey} }
    watch: { may: read, password_file: password }
public: { port: 0 }
${options.more ?? ''}
`,
  );
  const board = new RunningBoard(directory);
  t.teardown(() => board.kill());
  await board.listening();
  return board;
}
