/** What a relay in one Node process costs that copies bytes from TCP to TLS and decides nothing. */
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { connect as connectTls } from 'node:tls';

const [directory, lower, upper] = process.argv.slice(2);
const tls = connectTls({
  host: '127.0.0.1',
  port: Number(upper),
  ca: readFileSync(`${directory!}/ca.pem`),
  cert: readFileSync(`${directory!}/relay.pem`),
  key: readFileSync(`${directory!}/relay.key`),
  servername: 'portal.example',
  minVersion: 'TLSv1.3',
});
tls.on('secureConnect', () => {
  // The sink counts two lines as a login.
  tls.write('USER relay\r\nPASS secret\r\n');
  tls.resume();
  const tcp = connect(Number(lower), '127.0.0.1', () => tcp.write('RCVLOOP\r\n'));
  tcp.once('data', () => tcp.pipe(tls));
});
