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
  /** Path of the board's configuration. */
  readonly board: string;
  /** Writes the configuration once the servers' ports are known; returns its path. */
  configure(ports: Readonly<Record<'plant' | 'portal' | 'board', number>>): string;
}

/** Makes certificates and secrets below `directory`, anew for each run. */
export async function prepare(directory: string): Promise<Setup> {
  const files = join(directory, 'demo');
  mkdirSync(files, { recursive: true, mode: 0o700 });
  const authority = await createAuthority({ commonName: 'tidegate demo CA', days: 30 });
  const server = (name: string) =>
    issueCertificate(authority, { commonName: name, usage: 'server', names: [name], days: 30 });
  const [relay, portal, board] = await Promise.all([
    issueCertificate(authority, { commonName: 'relay', usage: 'client', names: [], days: 30 }),
    server('portal.example'),
    server('board.example'),
  ]);
  const secrets = {
    plant: randomBytes(12).toString('hex'),
    portal: randomBytes(12).toString('hex'),
    board: randomBytes(12).toString('hex'),
  };
  const write = (name: string, text: string): void => {
    writeFileSync(join(files, name), text, { mode: 0o600 });
  };
  write('ca.pem', authority.certificate);
  write('relay.pem', relay.certificate);
  write('relay.key', relay.key);
  write('plant.password', secrets.plant);
  write('portal.password', secrets.portal);
  write('board.pem', board.certificate);
  write('board.key', board.key);
  write('board.password', secrets.board);
  write('board.yaml', NAMES);
  write('board-server.yaml', BOARD);
  return {
    plant: { user: 'relay', password: secrets.plant },
    portal: {
      user: 'tidegate',
      password: secrets.portal,
      ca: authority.certificate,
      cert: portal.certificate,
      key: portal.key,
    },
    board: join(files, 'board-server.yaml'),
    configure(ports) {
      write('tidegate.yaml', configuration(ports));
      return join(files, 'tidegate.yaml');
    },
  };
}

/** The board of the demo: any free port, for the browsers of this machine. */
const BOARD = `schema: tidegate-board/v1
state: ../board
names: board.yaml
link:
  host: 127.0.0.1
  port: 0
  tls: { cert: board.pem, key: board.key, ca: ca.pem }
  users:
    tidegate: { may: send, password_file: board.password, certificate: relay }
public: { host: 127.0.0.1, port: 0 }
silence: 30s
alarm_age: 5m
`;

const node = (n: number): string => `'FF:FF:FF:FF:FF:FF:FF:FE:B8:27:EB:10:00:01:00:${hex(n)}'`;
const hex = (n: number): string => n.toString(16).toUpperCase().padStart(2, '0');

function named(type: string, n: number, name: string, place: string, zone: string): string {
  const match = `{ class: CLASS1.MEASUREMENT, type: ${type}, guid: ${node(n)} }`;
  return `  - { match: ${match}, name: ${name}, place: ${place}, zone: ${zone} }`;
}

/** A handful of the hall's sensors, by name; the others are not shown. */
const NAMES = `schema: tidegate-names/v1
title: The public hall
show: named
zones:
  entrance: { name: Entrance, at: [18, 70] }
  stage: { name: Stage, at: [50, 24] }
  gallery: { name: Gallery, at: [82, 62] }
sensors:
${[
  named('TEMPERATURE', 1, 'Temperature', 'By the doors', 'entrance'),
  named('HUMIDITY', 1, 'Humidity', 'By the doors', 'entrance'),
  named('TEMPERATURE', 2, 'Temperature', 'Above the stage', 'stage'),
  named('POWER', 2, 'Stage lights', 'Stage', 'stage'),
  named('TEMPERATURE', 3, 'Temperature', 'Upper gallery', 'gallery'),
  named('HUMIDITY', 3, 'Humidity', 'Upper gallery', 'gallery'),
  named('POWER', 4, 'Ventilation', 'Gallery', 'gallery'),
].join('\n')}
  - { match: { class: CLASS1.ALARM }, name: Door alarm, place: The hall, zone: entrance }
`;

function configuration(ports: Readonly<Record<'plant' | 'portal' | 'board', number>>): string {
  const policy = fileURLToPath(new URL('../../policies/demo.yaml', import.meta.url));
  return `schema: tidegate/v1
state: ..
seal: preferred
lowers:
  plant:
    host: 127.0.0.1
    port: ${ports.plant}
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
    port: ${ports.portal}
    user: tidegate
    password_file: portal.password
    window: 64
    tls: { ca: ca.pem, cert: relay.pem, key: relay.key, servername: portal.example }
  board:
    kind: vscp
    channel: public
    host: 127.0.0.1
    port: ${ports.board}
    user: tidegate
    password_file: board.password
    window: 64
    tls: { ca: ca.pem, cert: relay.pem, key: relay.key, servername: board.example }
`;
}
