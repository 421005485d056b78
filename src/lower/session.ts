/**
 * One login to a lower server: connect, write the script a command at a time, hand over.
 *
 * Reading stops inside the read that completes the last answer, so that not one byte of the receive
 * loop is taken by this process.
 */
import { connect } from 'node:net';
import { Lookup } from '../dialing/lookup.js';
import { PATIENCE } from '../dialing/schedule.js';
import { describeDelay, describeFailure, type Outcome } from '../dialing/serve.js';
import { AnswerReader, showWords } from '../link/answers.js';
import type { LoginScript } from '../link/login.js';

/** A greeting and its answers are short: a server that says more is something else. */
const MAX_BEFORE_ANSWER = 16 * 1024;
/** After a refused filter, the lines of the refusal are complete when this many ms are quiet. */
const QUIET = 250;

export interface LowerServer {
  readonly host: string;
  readonly port: number;
  readonly lookup?: Lookup;
}

/**
 * Logs in and enters the receive loop.
 *
 * @returns a socket that is paused, with RCVLOOP written and its answer unread; or why not. Never
 * rejects.
 */
export function logIn(
  { host, port, lookup = new Lookup() }: LowerServer,
  script: LoginScript,
): Promise<Outcome> {
  return new Promise((resolve) => {
    const answers = new AnswerReader();
    const input = Buffer.alloc(4096);
    const warnings: string[] = [];
    const show = (text: string, most?: number): string => showWords(text, script.secret, most);
    let step = -1;
    let settled = false;
    let quiet: NodeJS.Timeout | undefined;
    const waitingFor = (): string => (step < 0 ? 'the greeting' : script.steps[step]!.name);
    const settle = (outcome: Outcome): void => {
      if (settled) return;
      settled = true;
      clearTimeout(timer);
      clearTimeout(quiet);
      if (outcome.kind !== 'ready') socket.destroy();
      resolve(outcome);
    };
    const fail = (text: string): void => settle({ kind: 'failed', text });
    const timer = setTimeout(() => {
      fail(
        socket.connecting ? describeDelay(lookup, host) : `no answer in time to ${waitingFor()}`,
      );
    }, PATIENCE);

    /** The only write to a socket below the journal: the next slice of the script. */
    const writeNext = (): void => {
      step++;
      const start = step === 0 ? 0 : script.steps[step - 1]!.end;
      const slice = script.bytes.subarray(start, script.steps[step]!.end);
      const last = step === script.steps.length - 1;
      socket.write(slice, (error) => {
        if (error) fail(describeFailure(error, host, port));
        else if (last) settle({ kind: 'ready', socket, script: script.bytes.length, warnings });
      });
      timer.refresh();
    };

    /** A refusal may take two lines: the next command waits until they are all there. */
    const writeWhenQuiet = (): void => {
      quiet = setTimeout(() => {
        quiet = undefined;
        if (settled) return;
        if (step === script.steps.length - 2) socket.pause();
        writeNext();
      }, QUIET);
    };

    /** Returns whether to go on reading. */
    const takeAnswer = (ok: boolean, text: string): boolean => {
      if (settled) return false;
      if (quiet) {
        quiet.refresh();
        return true;
      }
      const name = step < 0 ? undefined : script.steps[step]!.name;
      if (!ok) {
        if (name === 'SFLT' || name === 'SMSK') {
          warnings.push(`${name} was refused, the gate filters anyway: ${show(text)}`);
          writeWhenQuiet();
          return true;
        }
        settle(
          name === undefined
            ? { kind: 'failed', text: `the greeting was ${show(text)}` }
            : { kind: 'refused', text: `${name} was refused: ${show(text)}` },
        );
        return false;
      }
      writeNext();
      return step < script.steps.length - 1;
    };

    const socket = connect({
      host,
      port,
      noDelay: true,
      lookup: lookup.find,
      onread: {
        buffer: input,
        callback: (length) => {
          let more = true;
          answers.push(input.subarray(0, length), (ok, text) => (more = takeAnswer(ok, text)));
          if (answers.discarded > MAX_BEFORE_ANSWER) {
            fail(`this is no VSCP server: ${show(answers.firstDiscarded ?? 'endless line')}`);
            return false;
          }
          return more;
        },
      },
    });
    socket.on('connect', () => timer.refresh());
    socket.on('error', (error: NodeJS.ErrnoException) => {
      fail(describeFailure(error, host, port));
    });
    socket.on('close', () => {
      const said = answers.firstDiscarded;
      const text = said === undefined ? '' : ` after saying ${show(said, 80)}`;
      fail(`the server closed the connection while ${waitingFor()} was awaited${text}`);
    });
  });
}
