/**
 * The public: `board-readers.js PORT STREAMS REQUESTS`, readers of the stream and requests a second.
 *
 * Prints `ready` when all streams are open, and from one SIGUSR2 to the next counts: `sums ANSWERED
 * READINGS P50 P99`, the readings of one stream. Readers have addresses of their own, below 127/8.
 */
import { Agent, get, type IncomingMessage } from 'node:http';

const [port, streams, rate] = process.argv.slice(2).map(Number) as [number, number, number];
const PATHS = [
  '/api/v1/sensors',
  '/',
  '/api/v1/status',
  '/api/v1/alarms',
  '/api/v1/sensors/10.6.FFFFFFFFFFFFFFFEB827EB1000010002.2/series?points=200',
];
const addressOf = (n: number): string => `127.${1 + (n % 4)}.${(n >> 2) % 250}.1`;
const agents = Array.from({ length: 50 }, () => new Agent({ keepAlive: true, maxSockets: 8 }));

let readings = 0;
for (let i = 0; i < streams; i++) {
  const options = { host: '127.0.0.1', port, localAddress: addressOf(i), agent: false as const };
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    get({ ...options, path: '/api/v1/stream' }, resolve).on('error', reject);
  });
  if (response.statusCode !== 200) throw new Error(`a stream was refused: ${response.statusCode}`);
  response.on('data', (chunk: Buffer) => {
    // One of them is looked at, the others are taken.
    if (i === 0) readings += chunk.toString('latin1').split('"id":').length - 1;
  });
}
process.stdout.write('ready\n');

let times: number[] = [];
let failed = 0;
let asked = 0;
const begun = performance.now();
setInterval(() => {
  const due = Math.floor(((performance.now() - begun) / 1000) * rate);
  while (asked < due) {
    const n = asked++;
    const agent = agents[n % agents.length]!;
    const path = PATHS[n % PATHS.length]!;
    const localAddress = addressOf(5000 + (n % agents.length));
    const since = performance.now();
    const request = get({ host: '127.0.0.1', port, path, agent, localAddress }, (response) => {
      response.resume();
      response.on('end', () => {
        if (response.statusCode === 200) times.push(performance.now() - since);
        else failed++;
      });
    });
    request.on('error', () => failed++);
  }
}, 5);
let from: number | undefined;
process.on('SIGUSR2', () => {
  if (from === undefined) [times, failed, from] = [[], 0, readings];
  else {
    const sorted = times.toSorted((a, b) => a - b);
    const at = (share: number): string =>
      (sorted[Math.floor(sorted.length * share)] ?? 0).toFixed(2);
    if (failed > 0) process.stderr.write(`${failed} requests failed\n`);
    process.stdout.write(`sums ${sorted.length} ${readings - from} ${at(0.5)} ${at(0.99)}\n`);
  }
});
