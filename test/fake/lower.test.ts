import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { setImmediate as turn, setTimeout as wait } from 'node:timers/promises';
import Client, { type VscpEvent } from 'node-vscp-tcp';
import t, { type Test } from 'tap';
import { FakeLower, type Kind, type LowerOptions } from './lower.js';
import { Caller, replay, type ReplayOptions } from './replay.js';
import { greeting, readTranscript, type Step } from './transcript.js';

const KINDS: readonly Kind[] = ['vscpd-14', 'vscpd-15', 'uvscpd'];

const EVENT = '0,10,6,0,2026-11-22T08:00:00Z,1,FF:FF:FF:FF:FF:FF:FF:FE:00:00:00:00:00:01:00:02,1';
const OTHER = '96,20,3,0,,2,FF:FF:FF:FF:FF:FF:FF:FE:00:00:00:00:00:01:00:03,0x01';
const NO_GUID = '00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00';

async function start(t: Test, options: LowerOptions): Promise<FakeLower> {
  const lower = await FakeLower.start({ signsOfLife: 'off', ...options });
  t.teardown(() => lower.close());
  return lower;
}

/** Dials and logs in. */
async function enter(lower: FakeLower, loop = true): Promise<Caller> {
  const caller = await Caller.dial(lower);
  await caller.ask('USER admin\r\n');
  await caller.ask('PASS secret\r\n');
  if (loop) await caller.ask('RCVLOOP\r\n');
  return caller;
}

/** The steps before the first one that `isEnd` holds for. */
function upTo(steps: readonly Step[], isEnd: (step: Step) => boolean): Step[] {
  const end = steps.findIndex(isEnd);
  return steps.slice(0, end < 0 ? undefined : end);
}

const says = (step: Step, text: string) => step.bytes.includes(text);

interface Recording extends ReplayOptions {
  file: string;
  steps?: (steps: Step[]) => Step[];
  least?: number;
}

const afterSetGuid = (): ReplayOptions => {
  // SGID is answered as recorded and sets nothing.
  let set = false;
  return {
    skip: (_, command) => {
      set ||= command.startsWith('SGID');
      return set && /^(?:GGID|INTERFACE|CLIENT)/.test(command);
    },
  };
};

const RECORDINGS: Readonly<Record<Kind, readonly Recording[]>> = {
  'vscpd-14': [
    { file: 'vscpd-login_good' },
    { file: 'vscpd-login_bad' },
    { file: 'vscpd-before_login' },
    { file: 'vscpd-info_cmds', ...afterSetGuid() },
    { file: 'vscpd-filters' },
    {
      // B's queue held the daemon's own events, which the fake does not make.
      file: 'vscpd-rcvloop',
      skip: (connection, command) => connection === 'B' && /^(?:CDTA|RETR)/.test(command),
    },
    { file: 'vscpd-halfclose', halfClosed: ['A.2', 'A.3'] },
    {
      // The recorder shortened the rest.
      file: 'vscpd-pipelined',
      steps: (steps) => upTo(steps, (step) => says(step, '-- 100 SEND')),
    },
  ],
  'vscpd-15': [
    {
      // A.4 is a user who may not log in from here.
      file: 'current-01-session',
      steps: (steps) => steps.filter((step) => step.connection !== 'A.4'),
      ...afterSetGuid(),
    },
    {
      // The next one crashed it; and a GUID that is too short is filled from its memory.
      file: 'current-02-send-rcvloop',
      steps: (steps) => upTo(steps, (step) => step.bytes.length > 500),
      skip: (_, command) => /,(?:zz:zz|01:02:03),/.test(command),
      ignore: (line) => line.includes(':00:3C:3B:7F:'),
    },
    {
      // Repeating a command (`+`) is not imitated.
      file: 'current-06-limits',
      steps: (steps) =>
        steps.filter(
          (step, i) =>
            step.connection === 'H' ||
            (step.connection === 'eol' &&
              !steps.slice(0, i + 1).some((each) => says(each, '+\r\n'))),
        ),
      ignore: (line) => line.startsWith('0,10,6,1,'),
    },
  ],
  uvscpd: [
    { file: 'uvscpd-login_good' },
    { file: 'uvscpd-login_bad' },
    { file: 'uvscpd-before_login' },
    { file: 'uvscpd-info_cmds', ...afterSetGuid() },
    { file: 'uvscpd-filters' },
    { file: 'uvscpd-filter_effect' },
    { file: 'uvscpd-rcvloop', skip: (_, command) => command === 'STAT' },
    { file: 'uvscpd-send_forms' },
    {
      file: 'uvscpd-pipelined',
      steps: (steps) => upTo(steps, (step) => says(step, '-- 100 SEND')),
    },
    {
      // Those connections whose long line was recorded in full.
      file: 'uvscpd-longline',
      steps: (steps) => {
        const cut = new Set(
          steps.filter((step) => says(step, "b'")).map((step) => step.connection),
        );
        return steps.filter((step) => !cut.has(step.connection) && step.connection !== '');
      },
    },
  ],
};

for (const kind of KINDS) {
  for (const { file, steps = (all) => all, ...options } of RECORDINGS[kind]) {
    for (const pieces of [undefined, 7]) {
      await t.test(
        `${kind} answers as in ${file}, ${pieces ? 'in pieces' : 'whole'}`,
        async (t) => {
          const lower = await start(t, { kind, pieces });
          const comparisons = await replay(steps(readTranscript(file)), lower, options);
          t.ok(comparisons.length > 0);
          for (const { connection, got, expected } of comparisons) {
            t.ok(expected.length > 2, `${connection} has something to compare`);
            t.same(got, expected, connection);
          }
        },
      );
    }
  }
}
