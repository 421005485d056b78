/** Writes what the demo's relay needs: certificates, secrets, a configuration. */
import { randomBytes } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createAuthority, issueCertificate } from '../pki/authority.js';

export interface Credentials {
  readonly user: string;
  readonly password: string;
}

export interface Setup {
  readonly plant: Credentials;
  readonly portal: Credentials & {
    readonly ca: string;
    readonly cert: string;
    readonly key: string;
  };
  /** Writes the configuration once the servers' ports are known; returns its path. */
  configure(plantPort: number, portalPort: number): string;
}

/** Makes certificates and secrets below `directory`, anew for each run. */
export async function prepare(directory: string): Promise<Setup> {
  const files = join(directory, 'demo');
  mkdirSync(files, { recursive: true, mode: 0o700 });
  const authority = await createAuthority({ commonName: 'tidegate demo CA', days: 30 });
  const [relay, portal] = await Promise.all([
    issueCertificate(authority, { commonName: 'relay', usage: 'client', names: [], days: 30 }),
    issueCertificate(authority, {
      commonName: 'portal.example',
      usage: 'server',
      names: ['portal.example'],
      days: 30,
    }),
  ]);
  const secrets = {
    plant: randomBytes(12).toString('hex'),
    portal: randomBytes(12).toString('hex'),
  };
  const write = (name: string, text: string): void => {
    writeFileSync(join(files, name), text, { mode: 0o600 });
  };
  write('ca.pem', authority.certificate);
  write('relay.pem', relay.certificate);
  write('relay.key', relay.key);
  write('plant.password', secrets.plant);
  write('portal.password', secrets.portal);
  return {
    plant: { user: 'relay', password: secrets.plant },
    portal: {
      user: 'tidegate',
      password: secrets.portal,
      ca: authority.certificate,
      cert: portal.certificate,
      key: portal.key,
    },
    configure(plantPort, portalPort) {
      write('tidegate.yaml', configuration(plantPort, portalPort));
      return join(files, 'tidegate.yaml');
    },
  };
}

function configuration(plantPort: number, portalPort: number): string {
  const policy = fileURLToPath(new URL('../../policies/demo.yaml', import.meta.url));
  return `schema: tidegate/v1
state: ..
seal: preferred
lowers:
  plant:
    host: 127.0.0.1
    port: ${plantPort}
    user: relay
    password_file: plant.password
policies: [${JSON.stringify(policy)}]
channels:
  public: { retain: { size: 64MiB, age: 1d }, beacon: 10s }
uppers:
  portal:
    kind: vscp
    channel: public
    host: 127.0.0.1
    port: ${portalPort}
    user: tidegate
    password_file: portal.password
    window: 64
    tls: { ca: ca.pem, cert: relay.pem, key: relay.key, servername: portal.example }
`;
}
