/** A configuration with two lowers, two channels and two uppers, whose servers do not exist. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Test } from 'tap';

/** Writes it into the test's directory; returns the path. */
export function writeConfiguration(t: Test): string {
  const directory = t.testdir({});
  const file = join(directory, 'tidegate.yaml');
  const lower = (port: number): string =>
    `{ host: 192.0.2.1, port: ${port}, user: relay, password_file: secret }`;
  const upper = (channel: string): string =>
    `{ channel: ${channel}, host: 198.51.100.1, port: 9599, user: relay, password_file: secret, ` +
    'tls: { ca: ca.pem, cert: relay.pem, key: relay.key, servername: portal.example } }';
  writeFileSync(
    file,
    `schema: tidegate/v1
state: ./state
lowers: { north: ${lower(9598)}, south: ${lower(9597)} }
policies: [policy.yaml]
channels: { public: {}, inner: {} }
uppers: { portal: ${upper('public')}, board: ${upper('inner')} }
`,
  );
  writeFileSync(join(directory, 'secret'), 'never read\n', { mode: 0o600 });
  return file;
}

/** Why there can be no sandboxes here; false: there can be. */
export function whyNot(available: boolean): string | false {
  if (available || process.env['TIDEGATE_REQUIRE_ALL'] !== undefined) return false;
  return 'needs bubblewrap (Debian package bubblewrap) and user namespaces';
}
