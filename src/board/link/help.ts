/** The commands in words, for HELP. */

const COMMANDS: readonly (readonly [names: string, use: string, what: string])[] = [
  ['+', '+', 'Repeats the last command (but no PASS).'],
  ['NOOP', 'NOOP', 'Does nothing.'],
  ['QUIT', 'QUIT', 'Closes the connection.'],
  ['USER', 'USER name', 'Says who logs in.'],
  ['PASS', 'PASS password', 'Logs in.'],
  ['CHALLENGE', 'CHALLENGE token', 'Gives a session id.'],
  [
    'SEND',
    'SEND head,class,type,obid,datetime,timestamp,GUID,data...',
    'Takes an event, of a relay. A GUID of - is that of this interface.',
  ],
  ['RETR', 'RETR count', 'Gives events that wait; -1: all of them.'],
  ['RCVLOOP', 'RCVLOOP', 'Gives events as they come, and +OK as a sign of life.'],
  ['QUITLOOP', 'QUITLOOP', 'Ends RCVLOOP.'],
  ['CDTA CHKDATA CHECKDATA', 'CDTA, CHKDATA', 'Says how many events wait.'],
  ['CLRA CLRALL', 'CLRA, CLRALL', 'Drops the events that wait.'],
  [
    'STAT',
    'STAT',
    '0,0,dropped,bytes and events received,bytes and events sent, of this connection.',
  ],
  ['INFO', 'INFO', 'Gives the status of this interface.'],
  ['CHID GETCHID', 'CHID, GETCHID', 'Gives the channel id of this interface.'],
  ['SGID SETGUID', 'SGID GUID, SETGUID GUID', 'Sets the GUID of this interface.'],
  ['GGID GETGUID', 'GGID, GETGUID', 'Gives the GUID of this interface.'],
  ['VERS VERSION', 'VERS, VERSION', 'Gives the version of this server.'],
  [
    'SFLT SETFILTER',
    'SFLT priority,class,type,GUID; SETFILTER',
    'Sets the filter of what is given by RETR and RCVLOOP.',
  ],
  [
    'SMSK SETMASK',
    'SMSK priority,class,type,GUID; SETMASK',
    'Sets its mask: only bits that are set here have to be as in the filter.',
  ],
  ['INTERFACE', 'INTERFACE list', 'Lists the interfaces: this connection.'],
  ['WCYD WHATCANYOUDO', 'WCYD, WHATCANYOUDO', 'Gives the capabilities of this server.'],
  ['HELP', 'HELP command', 'This text, or that on a command.'],
];

const ALL =
  COMMANDS.map(([, use, what]) => `${use}: ${what}\r\n`).join('') +
  "'HELP command' tells of one alone.\r\n";

/** @returns lines with their endings; undefined: there is no such command */
export function helpOn(command: string): string | undefined {
  if (command === '') return ALL;
  const known = COMMANDS.find(([names]) => names.split(' ').includes(command));
  return known && `${known[1]}: ${known[2]}\r\n`;
}
