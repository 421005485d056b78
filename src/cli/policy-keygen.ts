/** `tidegate policy keygen`: makes the key that a person signs policies with. */
import { rmSync } from 'node:fs';
import { writeNew } from '../note/key-file.js';
import { formatKey, makeKey } from '../note/key.js';
import { formatVerifier, isName, NoteError, verifierOf } from '../note/note.js';
import { quote } from '../pki/options.js';
import { parseStrictly, refuseExtra, UsageError } from './arguments.js';
import type { Io } from './io.js';
import { askNew, askSecret, checkNew, readPassphrase } from './passphrase.js';

export const POLICY_KEYGEN_HELP = `tidegate policy keygen - make the key that a person signs policies with

Usage: tidegate policy keygen --name NAME --out FILE [--passphrase-file FILE | --no-passphrase]

Makes an Ed25519 key. The private key goes into FILE (mode 0600), encrypted with a passphrase that
is asked for twice; the public key, one line, into FILE.pub, and is printed. Existing files are
left as they are. Each person makes a key, on a machine of their own, and hands on the public line
only: it belongs into 'policy_signers' of the relay's configuration.

  -n, --name NAME              whose key it is, as configuration, log and audit will call it: no
                               spaces and no '+', such as alice@plant.example
  -o, --out FILE               where it goes
      --passphrase-file FILE   the passphrase is the first line of this file (mode 0600)
      --no-passphrase          not encrypted: whoever reads the file can sign
  -h, --help                   this text

The file is PKCS#8 in PEM (PBES2: AES-256, PBKDF2 with HMAC-SHA-256), which OpenSSL reads:
  openssl pkey -in alice.key -noout -text
A key made by 'openssl genpkey -algorithm ed25519 -aes256' does as well.

Exit codes: 0 made, 1 not, 2 usage.

Example:
  tidegate policy keygen --name alice@plant.example --out alice.key`;

const OPTIONS = {
  name: { type: 'string', short: 'n' },
  out: { type: 'string', short: 'o' },
  'passphrase-file': { type: 'string' },
  'no-passphrase': { type: 'boolean', default: false },
  help: { type: 'boolean', short: 'h', default: false },
} as const;

/**
 * Runs `tidegate policy keygen`; returns the exit code.
 *
 * @param ask gives one line for a prompt, unseen
 * @throws UsageError
 */
export async function policyKeygen(
  args: readonly string[],
  io: Io,
  ask: (prompt: string) => Promise<string> = askSecret,
): Promise<number> {
  const { values, positionals } = parseStrictly(args, OPTIONS);
  if (values.help) {
    io.out(POLICY_KEYGEN_HELP);
    return 0;
  }
  refuseExtra(positionals);
  const { name, out, 'passphrase-file': file, 'no-passphrase': plain } = values;
  if (name === undefined) throw new UsageError('--name is missing: whose key it is');
  if (!isName(name)) {
    throw new UsageError(`--name ${quote(name)} is no name of a key: no spaces, no '+'`);
  }
  if (out === undefined) throw new UsageError('--out is missing: the file of the private key');
  if (plain && file !== undefined) {
    throw new UsageError('--passphrase-file and --no-passphrase exclude each other');
  }
  try {
    const passphrase = plain ? undefined : await choose(file, ask);
    const key = makeKey();
    const line = formatVerifier(verifierOf(name, key));
    writeNew(out, formatKey(key, passphrase), 0o600);
    try {
      writeNew(`${out}.pub`, `${line}\n`, 0o644);
    } catch (error) {
      rmSync(out);
      throw error;
    }
    io.err(`private key  ${out} (mode 0600, ${plain ? 'NOT ENCRYPTED' : 'encrypted'})`);
    io.err(`public key   ${out}.pub, for policy_signers of the configuration:`);
    io.out(line);
    return 0;
  } catch (error) {
    io.err((error as Error).message);
    return 1;
  }
}

async function choose(
  file: string | undefined,
  ask: (prompt: string) => Promise<string>,
): Promise<string> {
  if (file === undefined) return askNew(ask);
  const passphrase = readPassphrase(file);
  try {
    checkNew(passphrase);
  } catch (error) {
    throw new NoteError(`${file}: ${(error as Error).message}`, { cause: error });
  }
  return passphrase;
}
