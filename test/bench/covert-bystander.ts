/**
 * A client that is flooded beside the relay: `covert-bystander.js DIRECTORY PORT`.
 *
 * It does with an upper server's bytes what the relay's upper does, and has nothing to do with the
 * relay: what a lower server sees of it, it sees of the machine.
 */
import { readFileSync } from 'node:fs';
import { connect } from 'node:tls';
import { AnswerReader } from '../../src/link/answers.js';

const [directory, port] = process.argv.slice(2) as [string, string];
const GUID = '00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00';
const SEND = `SEND 96,1040,6,3,,1,${GUID}${',138'.repeat(60)}\r\n`;
const answers = new AnswerReader();
const begun = performance.now();
let greeting = 3;
let sent = 0;
let owed = 0;

const socket = connect({
  port: Number(port),
  host: '127.0.0.1',
  ca: readFileSync(`${directory}/ca.pem`),
  cert: readFileSync(`${directory}/relay.pem`),
  key: readFileSync(`${directory}/relay.key`),
  servername: 'portal.example',
});
socket.on('secureConnect', () => socket.write('USER relay\r\nPASS secret\r\n'));

/** An event a millisecond, one at a time, what has waited at once: as the relay's upper. */
function send(): void {
  if (owed > 0 || greeting > 0 || sent > performance.now() - begun) return;
  sent++;
  owed++;
  socket.write(SEND);
}

socket.on('data', (chunk: Buffer) => {
  answers.push(chunk, () => {
    if (greeting > 0) greeting--;
    else owed--;
    return true;
  });
  send();
});
setInterval(send, 1);
process.on('disconnect', () => process.exit());
