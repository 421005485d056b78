/** A lower server for `node -e` that answers every line and says what it got, in JSON. */
export const SERVER = String.raw`
import { createServer } from 'node:net';

const EVENTS = 'x'.repeat(98) + '\r\n';

for (const port of process.argv.slice(1).map(Number)) {
  let connections = 0;
  createServer((socket) => {
    const id = ++connections;
    const say = (what) => process.stdout.write(JSON.stringify({ port, id, ...what }) + '\n');
    say({ kind: 'connected' });
    socket.write('+OK hello\r\n');
    socket.on('data', (chunk) => {
      say({ kind: 'data', text: chunk.toString('latin1') });
      const text = chunk.toString('latin1');
      for (const line of text.matchAll(/[^\n]*\n/g)) {
        socket.write('+OK\r\n');
        if (line[0].startsWith('RCVLOOP')) socket.write(EVENTS.repeat(20_000));
      }
    });
    socket.on('end', () => say({ kind: 'end' }));
    socket.on('error', (error) => say({ kind: error.code }));
  }).listen(port, '::', () =>
    process.stdout.write(JSON.stringify({ port, kind: 'listening' }) + '\n'),
  );
}
`;
