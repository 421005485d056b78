/** How vscpd 14 and the tcpipsrv driver of vscpd 15 talk, in the words of the recordings. */
import { toEvent, toPattern, type Event } from './event.js';
import type { Dialect, Session } from './session.js';
import { answers, greeting, phrase, readTranscript } from './transcript.js';

/** Does what the verb says and returns the answer, unless it has been given or there is none. */
type Verb = (session: Session, rest: string) => Buffer | undefined;

/** `before` and `after`: a connection that asks everything before, and after, its login. */
const RECORDINGS = {
  14: {
    files: ['login_good', 'login_bad', 'rcvloop', 'before_login', 'info_cmds'].map(
      (name) => `vscpd-${name}`,
    ),
    before: ['vscpd-before_login', 'A'],
    after: ['vscpd-info_cmds', 'A'],
    interface: [0x01, 0x00, 0x00],
  },
  15: {
    files: ['current-01-session', 'current-02-send-rcvloop'],
    before: ['current-01-session', 'A'],
    after: ['current-01-session', 'A.5'],
    interface: [0x02, 0x88, 0x88],
  },
} as const;

/** No recording shows this refusal: the words are ours, only `-OK` is the server's. */
const NO_RIGHT = Buffer.from('-OK - No right to set a filter.\r\n');

const hex = (byte: number) => byte.toString(16).toUpperCase().padStart(2, '0');

/** Version 14 sends nanoseconds and no date, version 15 a date and microseconds. */
function times(version: 14 | 15, event: Event): string {
  const given = Date.parse(event.datetime);
  const ms = Number.isNaN(given) ? Date.now() : given;
  const us = Number.isNaN(given) ? 0 : event.timestamp;
  if (version === 14) return `,${BigInt(ms) * 1_000_000n + BigInt(us) * 1000n}`;
  const seconds = new Date(ms).toISOString().slice(0, 19);
  return `${seconds}Z,${event.timestamp || (Date.now() * 1000) % 2 ** 32}`;
}

export function vscpd(version: 14 | 15): Dialect {
  const recordings = RECORDINGS[version];
  const steps = recordings.files.flatMap((file) => readTranscript(file));
  const booked = ([file, connection]: readonly [string, string]) =>
    new Map(
      [...answers(readTranscript(file), connection)].map(([asked, answer]) => [
        asked.toUpperCase(),
        answer,
      ]),
    );
  const before = booked(recordings.before);
  const after = booked(recordings.after);

  const success = phrase(steps, '+OK - Success.');
  const userAccepted = phrase(steps, '+OK - User name accepted');
  const loopEntered = phrase(steps, '+OK - Receive loop entered');
  const loopQuit = phrase(steps, '+OK - Quit receive loop');
  const goodbye = phrase(steps, '+OK - Connection closed by client');
  const cleared = phrase(steps, '+OK - All events cleared');
  const badPassword = phrase(steps, '-OK - Invalid username or password');
  const needsUser = phrase(steps, '-OK - Need a Username');
  const needsLogin = phrase(steps, '-OK - Need to log in');
  const invalid = phrase(steps, '-OK - Invalid parameter');
  const noEvents = phrase(steps, '-OK - No event');
  const unknown = phrase(steps, '-OK - Unknown command');

  const guidOf = (session: Session) =>
    [...new Array<number>(7).fill(0xff), 0xf5, ...recordings.interface].concat([
      0,
      0,
      session.channel,
      0,
      0,
    ]);
  const above = (text: string) => Buffer.concat([Buffer.from(`${text}\r\n`), success]);

  const setPattern =
    (which: 'filter' | 'mask'): Verb =>
    (session, rest) => {
      const fields = rest.split(',');
      if (session.host.filters === 'refused') return NO_RIGHT;
      if (fields.length < 4) return invalid;
      session[which] = toPattern(fields);
      return success;
    };
  const count: Verb = (session) => above(String(session.queue.length));
  const clear: Verb = (session) => {
    session.queue.length = 0;
    return cleared;
  };
  const channel: Verb = (session) => above(String(session.channel));
  const guid: Verb = (session) => above(guidOf(session).map(hex).join(':'));

  /** A verb is whatever the line begins with: `NOOPX` is NOOP. The longer one stands first. */
  const free: Readonly<Record<string, Verb>> = {
    NOOP: () => success,
    QUITLOOP: (session) => {
      session.leaveLoop();
      return loopQuit;
    },
    QUIT: (session) => {
      session.say(goodbye);
      session.hangUp();
      return undefined;
    },
    USER: (session, rest) => {
      if (session.loggedIn) return success;
      if (rest === '') return invalid;
      session.user = rest;
      return userAccepted;
    },
    PASS: (session, rest) => {
      const { user, password, trouble } = session.host;
      if (session.loggedIn) return success;
      if (session.user === undefined) return needsUser;
      if (trouble === 'no-answer-to-pass') return undefined;
      const right = session.user === user && rest === password && trouble !== 'refuse-login';
      session.loggedIn = right;
      session.say(right ? success : rest === '' ? invalid : badPassword);
      if (!right) session.hangUp();
      return undefined;
    },
  };
  const guarded: Readonly<Record<string, Verb>> = {
    RCVLOOP: (session) => {
      if (session.host.trouble === 'refuse-loop') return invalid;
      session.enterLoop(loopEntered);
      return undefined;
    },
    SEND: (session, rest) => {
      const event = toEvent(rest);
      if (event === undefined) return invalid;
      session.say(success);
      session.host.publish(
        { ...event, guid: event.guid.length > 0 ? event.guid : guidOf(session) },
        session,
      );
      return undefined;
    },
    RETR: (session, rest) => {
      if (session.queue.length === 0) return noEvents;
      const taken = session.queue.splice(0, Number(rest) || 1);
      return Buffer.concat([...taken, success]);
    },
    SFLT: setPattern('filter'),
    SETFILTER: setPattern('filter'),
    SMSK: setPattern('mask'),
    SETMASK: setPattern('mask'),
    CDTA: count,
    CHKDATA: count,
    CHECKDATA: count,
    CLRA: clear,
    CHID: channel,
    GETCHID: channel,
    GGID: guid,
    GETGUID: guid,
  };

  return {
    greeting: greeting(steps),
    sign: phrase(steps, '+OK'),
    signEveryMs: 3000,
    signWhenIdle: false,
    places: Infinity,
    obeysAll: false,
    longestLine: Infinity,
    tooLong: invalid,
    obey(session, line) {
      const text = line.split('\0', 1)[0]!.trim();
      if (text === '') return;
      const asked = text.toUpperCase();
      const named = (verbs: object) => Object.keys(verbs).find((verb) => asked.startsWith(verb));
      const verb = named(free) ?? named(guarded);
      if (verb === undefined) {
        session.say((session.loggedIn ? after : before).get(asked) ?? unknown);
      } else if (verb in guarded && !session.loggedIn) {
        session.say(needsLogin);
      } else {
        const answer = (free[verb] ?? guarded[verb])!(session, text.slice(verb.length).trim());
        if (answer) session.say(answer);
      }
    },
    pass(event, from) {
      const head = version === 14 ? (event.head & 0xff) | 0x100 : event.head;
      return [
        head,
        event.class,
        event.type,
        event.obid || from.channel,
        times(version, event),
        event.guid.map(hex).join(':'),
        ...event.data.map((byte) => `0x${hex(byte)}`),
      ].join(',');
    },
  };
}
