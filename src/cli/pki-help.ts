// What `tidegate pki --help` prints, at each level.
import { AUTHORITY_DAYS, LEAF_DAYS } from '../pki/options.js';

/** Of the command itself. */
export const HELP = `tidegate pki - certificates for the TLS links between the relay and its uppers

A relay and each upper know each other by certificates that one authority has signed. This
command makes that authority and the certificates. It needs no network and no other program.

Usage
  tidegate pki init                make the authority (once)
  tidegate pki issue NAME          make a certificate for NAME (once per machine)
  tidegate pki COMMAND --help      more on a command

Example
  tidegate pki init
  tidegate pki issue relay
  tidegate pki issue upper --server --host upper.example

The relay's configuration then names the files in the section of that upper:
  tls:
    ca: ./pki/ca.pem
    cert: ./pki/relay.pem
    key: ./pki/relay.key
    servername: upper.example

Keep ca.key away from the network: whoever has it can pose as any upper or relay. No other
program needs it.`;

/** Of `tidegate pki init`. */
export const INIT_HELP = `tidegate pki init - make the certificate authority

Writes ca.pem (the certificate, public) and ca.key (its private key, mode 0600). Files that
exist are never overwritten.

Usage
  tidegate pki init [--dir DIR] [--name NAME] [--days DAYS]

Options
  --dir DIR    directory of the files, made if missing (default ./pki)
  --name NAME  common name of the authority (default "tidegate CA")
  --days DAYS  life in days, 1 to ${AUTHORITY_DAYS} (default 3650)

Example
  tidegate pki init --name "Harbour CA"

Relay and uppers take ca.pem, the relay in the tls section of an upper:
  tls: { ca: ./pki/ca.pem, cert: ./pki/relay.pem, key: ./pki/relay.key, servername: upper.example }
ca.key belongs in no configuration: only "tidegate pki issue" reads it.`;

/** Of `tidegate pki issue`. */
export const ISSUE_HELP = `tidegate pki issue - make a certificate that the authority has signed

Writes NAME.pem (the certificate, public) and NAME.key (its private key, mode 0600). Files
that exist are never overwritten. A certificate never outlives its authority.

Usage
  tidegate pki issue NAME [--dir DIR] [--server|--client] [--host HOST]... [--days DAYS]

Options
  NAME         name of the files and common name: letters, digits, and . _ - after the first
  --dir DIR    directory of the authority and of the new files (default ./pki)
  --client     for the end that dials, the relay (default)
  --server     for the end that listens, the upper; needs --host
  --host HOST  DNS name or IP address that the certificate is valid for; repeatable
  --days DAYS  life in days, 1 to ${LEAF_DAYS} (default 825)

Examples
  tidegate pki issue relay
  tidegate pki issue upper --server --host upper.example --host 192.0.2.7

The relay takes its files under the tls section of the upper; servername is one of the hosts
in the server's certificate:
  tls: { ca: ./pki/ca.pem, cert: ./pki/relay.pem, key: ./pki/relay.key, servername: upper.example }
The machine of the upper takes ca.pem, upper.pem and upper.key in the settings of its listener,
which should demand a client certificate.`;
