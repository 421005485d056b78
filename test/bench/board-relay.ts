/**
 * A relay's stand-in that sends at a pace over TLS: `board-relay.js DIRECTORY PORT RATE`.
 *
 * Prints `ready` when events flow, and from one SIGUSR2 to the next counts: `sums SENT ANSWERED`.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { connect } from 'node:tls';

const [directory, port, pace] = process.argv.slice(2) as [string, string, string];
const rate = Number(pace);
/** Outstanding at most. */
const WINDOW = 20_000;
const SENSORS = 200;

const read = (name: string): string => readFileSync(join(directory, name), 'utf8');
const socket = connect({
  ...{ host: '127.0.0.1', port: Number(port), servername: 'board.example' },
  ...{ ca: read('ca.pem'), cert: read('relay.pem'), key: read('relay.key') },
});
let [sent, answered, flowing] = [0, 0, false];
let rest = '';
const hex = (byte: number): string => byte.toString(16).padStart(2, '0').toUpperCase();

function send(now: number): string {
  const n = sent++;
  const time = new Date(now);
  const stamp = `${time.toISOString().slice(0, 19)}Z,${time.getMilliseconds() * 1000 + (n % 1000)}`;
  const guid = `FF:FF:FF:FF:FF:FF:FF:FE:B8:27:EB:10:00:01:00:${hex(n % SENSORS)}`;
  return `SEND 96,10,6,0,${stamp},${guid},0x8A,0x81,0x${hex((n >> 8) & 15)},0x${hex(n & 255)}\r\n`;
}

const lines: string[] = [];
let waiting: (() => void) | undefined;
socket.setEncoding('latin1').on('data', (chunk: string) => {
  if (flowing) {
    for (const character of chunk) if (character === '\n') answered++;
    return;
  }
  const parts = (rest + chunk).split('\r\n');
  rest = parts.pop()!;
  lines.push(...parts.filter((each) => each.startsWith('+OK') || each.startsWith('-OK')));
  waiting?.();
});
async function answer(): Promise<void> {
  while (lines.length === 0) await new Promise<void>((resolve) => (waiting = resolve));
  const line = lines.shift()!;
  if (!line.startsWith('+OK')) throw new Error(line);
}
await answer();
for (const command of ['USER relay', `PASS ${read('password')}`]) {
  socket.write(`${command}\r\n`);
  await answer();
}
flowing = true;
const begun = performance.now();
setInterval(() => {
  const due = Math.floor(((performance.now() - begun) / 1000) * rate);
  const now = Date.now();
  let text = '';
  while (sent < due && sent - answered < WINDOW) text += send(now);
  if (text !== '') socket.write(text);
}, 5);
process.stdout.write('ready\n');
let from: [number, number] | undefined;
process.on('SIGUSR2', () => {
  if (from) process.stdout.write(`sums ${sent - from[0]} ${answered - from[1]}\n`);
  else from = [sent, answered];
});
