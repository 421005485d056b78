/** Feeds the gate's pipe with frames as fast as it reads: `feeder.js COUNT`, pipe as descriptor 3. */
import { HEADER, MAX_PAYLOAD, sealFrame, zeroTotals } from '../../src/wire/frame.js';
import { writeDescriptor } from '../../src/wire/descriptor.js';
import { makeLines } from './lines.js';

const count = Number(process.argv[2]);
const BLOCK = 1000;
const payload = Buffer.from(`${makeLines(BLOCK).join('\r\n')}\r\n`);
const frame = Buffer.alloc(HEADER + Math.min(MAX_PAYLOAD, payload.length));
payload.copy(frame, HEADER);
const totals = zeroTotals();
const pipe = writeDescriptor(3, () => process.exit(1));

function next(): void {
  if (totals.read >= count) process.exit(0);
  totals.read += BLOCK;
  totals.bytes += payload.length;
  sealFrame(frame, payload.length, 1, BLOCK, totals);
  pipe.write(frame, next);
}
process.stdout.write('ready\n');
process.once('SIGUSR2', () => {
  process.stdout.write(`first ${process.hrtime.bigint()}\n`);
  next();
});
setInterval(() => undefined, 1000);
