/** How uvscpd 1.0 talks, in the words of the recordings. */
import { toEvent, toPattern, type Event, type Pattern } from './event.js';
import type { Dialect, Session } from './session.js';
import { answers, greeting, phrase, readTranscript } from './transcript.js';

/** Does what the verb says and returns the answer, unless it has been given or there is none. */
type Verb = (session: Session, argument: string) => Buffer | undefined;

const RECORDINGS = [
  'login_good',
  'login_bad',
  'rcvloop',
  'info_cmds',
  'filters',
  'longline',
  'send_forms',
].map((name) => `uvscpd-${name}`);

/** Every event goes out under the interface's own GUID, its bytes not padded. */
const GUID = [...new Array<number>(7).fill(0xff), 0xfe, 0, 0, 0, 0, 0, 1, 0, 0];

/** A line of 319 bytes and CRLF was obeyed, one of 328 was not. */
const LONGEST_LINE = 320;

const isNumber = (text: string, most: number) =>
  /^(?:0x[0-9a-f]+|\d+)$/i.test(text) && Number(text) <= most;

/** Unlike vscpd it checks every field, and keeps what it had if one is wrong. */
function readPattern(argument: string): Pattern | undefined {
  const fields = argument.split(',');
  const [priority = '', klass = '', type = '', guid = ''] = fields;
  const right =
    fields.length === 4 &&
    isNumber(priority, 7) &&
    isNumber(klass, 1023) &&
    isNumber(type, 255) &&
    /^[0-9a-f]{1,2}(?::[0-9a-f]{1,2}){15}$/i.test(guid);
  return right ? toPattern(fields) : undefined;
}

/** Only what fits a CAN frame; object id, time and GUID are not even read. */
function readEvent(argument: string): Event | undefined {
  const fields = argument.split(',');
  const [head = '', klass = '', type = '', , , , guid] = fields;
  const data = fields.slice(7);
  if (data.at(-1) === '') data.pop();
  const right =
    guid !== undefined &&
    (guid !== '' || fields.length > 7) &&
    isNumber(head, 255) &&
    isNumber(klass, 511) &&
    isNumber(type, 255) &&
    data.length <= 8 &&
    data.every((byte) => isNumber(byte, 255));
  if (!right) return undefined;
  const event = toEvent([head, klass, type, 0, '', 0, '', ...data].join(','));
  return event && { ...event, head: event.head & 0xf0, guid: GUID };
}

export function uvscpd(): Dialect {
  const steps = RECORDINGS.flatMap((file) => readTranscript(file));
  const booked = new Map([
    ...answers(readTranscript('uvscpd-before_login'), 'A'),
    ...answers(readTranscript('uvscpd-info_cmds'), 'A'),
  ]);

  const ok = phrase(steps, '+OK');
  const goodbye = phrase(steps, '+OK - bye');
  const cleared = phrase(steps, '+OK - All events cleared');
  const noUser = phrase(steps, '-OK - please supply username');
  const noPassword = phrase(steps, '-OK - please supply password');
  const badUser = phrase(steps, '-OK - invalid user');
  const badPassword = phrase(steps, '-OK - invalid password');
  const badFilter = phrase(steps, '-OK - format error in filter frame');
  const badMask = phrase(steps, '-OK - format error in mask frame');
  const badEvent = phrase(steps, '-OK - format error in CAN frame');
  const badArguments = phrase(steps, '-OK - wrong number of arguments');
  const noEvents = phrase(steps, '-OK - No event');
  const noInput = phrase(steps, '-OK - no input');
  const unknown = phrase(steps, '-OK - invalid command');
  const tooLong = phrase(steps, '-OK - line length exceeded');

  const setPattern =
    (which: 'filter' | 'mask', bad: Buffer): Verb =>
    (session, argument) => {
      const pattern = session.host.filters === 'refused' ? undefined : readPattern(argument);
      if (pattern === undefined) return bad;
      session[which] = pattern;
      return ok;
    };
  const count: Verb = (session) => Buffer.concat([Buffer.from(`${session.queue.length} \r\n`), ok]);

  const withArgument: Readonly<Record<string, Verb>> = {
    USER: (session, argument) => (argument === session.host.user ? ok : badUser),
    PASS: (session, argument) => {
      const { password, trouble } = session.host;
      if (trouble === 'no-answer-to-pass') return undefined;
      return argument === password && trouble !== 'refuse-login' ? ok : badPassword;
    },
    SFLT: setPattern('filter', badFilter),
    SETFILTER: setPattern('filter', badFilter),
    SMSK: setPattern('mask', badMask),
    SETMASK: setPattern('mask', badMask),
    SEND: (session, argument) => {
      const event = readEvent(argument);
      if (event === undefined) return badEvent;
      session.say(ok);
      session.host.publish(event, session);
      return undefined;
    },
    RETR: (session, argument) => {
      const wanted = Number(argument) || 1;
      const taken = session.queue.splice(0, wanted);
      return Buffer.concat([...taken, taken.length < wanted ? noEvents : ok]);
    },
  };
  const alone: Readonly<Record<string, Verb>> = {
    NOOP: () => ok,
    QUIT: (session) => {
      session.say(goodbye);
      session.hangUp();
      return undefined;
    },
    RCVLOOP: (session) => {
      if (session.host.trouble === 'refuse-loop') return badArguments;
      session.enterLoop(ok);
      return undefined;
    },
    QUITLOOP: (session) => {
      session.leaveLoop();
      return ok;
    },
    CDTA: count,
    CHECKDATA: count,
    CLRA: (session) => {
      session.queue.length = 0;
      return cleared;
    },
  };

  const reply = (session: Session, line: string): Buffer | undefined => {
    const [asked = '', ...rest] = line.trim().split(/\s+/);
    const verb = asked.toUpperCase();
    if (verb === '') return noInput;
    const verbs = Object.hasOwn(alone, verb) ? alone : withArgument;
    const action = Object.hasOwn(verbs, verb) ? verbs[verb] : undefined;
    if (action === undefined) return booked.get([verb, ...rest].join(' ')) ?? unknown;
    if (rest.length === (verbs === alone ? 0 : 1)) return action(session, rest[0] ?? '');
    if (rest.length > 0) return badArguments;
    return verb === 'USER' ? noUser : verb === 'PASS' ? noPassword : badArguments;
  };

  return {
    greeting: greeting(steps),
    sign: ok,
    signEveryMs: 2000,
    signWhenIdle: true,
    places: 5,
    obeysAll: true,
    longestLine: LONGEST_LINE,
    tooLong,
    obey(session, line) {
      const answer = reply(session, line);
      if (answer) session.say(answer);
    },
    pass(event) {
      const guid = event.guid.map((byte) => byte.toString(16).toUpperCase()).join(':');
      const now = new Date().toISOString().slice(0, 19);
      return [event.head, event.class, event.type, 0, now, 0, guid, ...event.data].join(',');
    },
  };
}
