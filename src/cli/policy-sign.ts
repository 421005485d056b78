/** `tidegate policy sign`: signs policies, or adds a signature to those that are there. */
import { closeSync, existsSync, fsyncSync, openSync, renameSync, rmSync, writeSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { readPrivate, readVerifiers } from '../note/key-file.js';
import { isEncrypted, parseKey } from '../note/key.js';
import {
  assembleNote,
  NoteError,
  parseNote,
  rawKey,
  type Signer,
  signerOf,
  signNote,
} from '../note/note.js';
import { formatManifest } from '../signing/manifest.js';
import { readSigners, type SignerRules, signedBy, titleOf } from '../signing/signers.js';
import { parseStrictly, UsageError } from './arguments.js';
import type { Io } from './io.js';
import { askSecret, readPassphrase } from './passphrase.js';
import { count } from './policy-files.js';
import { describeTarget, type Found, readFound, readTarget, showManifest } from './signed-files.js';

export const POLICY_SIGN_HELP = `tidegate policy sign - sign policies

Usage: tidegate policy sign FILE... --key K [--name NAME] [--manifest PATH] [--passphrase-file F]
       tidegate policy sign -c CONFIG --key K ...

Signs all that decides what goes up: each policy file (id, revision, last day, SHA-256), in the
order given, which is that of the configuration; the class and type tables; and the ids of the keys
of pseudonyms, which do not give them away. It covers the set: a file of forbids that is left out
breaks it. All of it stands in the manifest, a text file that the signatures are added to, one a
person. If it differs from what is there, it is made anew, and former signatures fall away.

What is signed is shown before the passphrase is asked for. Read it, and compare the digest with
that of the file that you reviewed (sha256sum).

  -k, --key K                  your private key, made by 'tidegate policy keygen'; without it the
                               manifest is made, and not signed: for others to sign elsewhere
  -n, --name NAME              the name of the key; default: as K.pub says
  -c, --config FILE            takes files and manifest from the relay's configuration
  -m, --manifest PATH          default: the first policy file's name with .manifest behind it
      --passphrase-file FILE   the passphrase is the first line of this file (mode 0600)
  -h, --help                   this text

A key of pseudonyms that cannot be read here: its id is taken from the manifest that is there.

The configuration says whose signatures are needed, and how many:
  policy_signers: { keys: [alice.key.pub, bob.key.pub], threshold: 2 }

A relay takes no revision that is lower than the last one in force: raise it with every change, also
of a set that gains or loses a file.

Exit codes: 0 signed, 1 not, 2 usage.

Example, two people:
  tidegate policy sign hall.yaml never.yaml --key alice.key
  tidegate policy sign hall.yaml never.yaml --key bob.key
  tidegate policy verify -c tidegate.yaml && tidegate reload -c tidegate.yaml`;

const OPTIONS = {
  key: { type: 'string', short: 'k' },
  name: { type: 'string', short: 'n' },
  config: { type: 'string', short: 'c' },
  manifest: { type: 'string', short: 'm' },
  'passphrase-file': { type: 'string' },
  help: { type: 'boolean', short: 'h', default: false },
} as const;

interface KeyOptions {
  readonly key: string;
  readonly name: string | undefined;
  readonly file: string | undefined;
}

type Ask = (prompt: string) => Promise<string>;

/**
 * Runs `tidegate policy sign`; returns the exit code.
 *
 * @param ask gives one line for a prompt, unseen
 * @throws UsageError
 */
export async function policySign(
  args: readonly string[],
  io: Io,
  ask: Ask = askSecret,
): Promise<number> {
  const { values, positionals } = parseStrictly(args, OPTIONS);
  if (values.help) {
    io.out(POLICY_SIGN_HELP);
    return 0;
  }
  const { key, name, 'passphrase-file': file } = values;
  if (key === undefined && (name ?? file) !== undefined) {
    throw new UsageError('--name and --passphrase-file are of a key: name it with --key');
  }
  try {
    const target = readTarget(positionals, values.config, values.manifest, Date.now());
    const before = readFound(target.manifest);
    const described = describeTarget(target, before?.text);
    const text = formatManifest(described.manifest);
    io.out(`manifest ${target.manifest}`);
    showManifest(described, (line) => io.out(`  ${line}`));
    const kept = before?.text === text ? before.signatures : [];
    sayFallen(before, kept.length, io);
    if (key === undefined) {
      replace(
        target.manifest,
        kept.length > 0 ? assembleNote({ text, signatures: kept }) : `${text}\n`,
      );
      io.out('not signed: that takes --key');
      return 0;
    }
    const signer = await readSigner({ key, name, file }, ask);
    const others = kept.filter((one) => one.name !== signer.name || one.id !== signer.id);
    const own = parseNote(signNote(text, [signer])).signatures;
    const note = { text, signatures: [...others, ...own] };
    replace(target.manifest, assembleNote(note));
    io.out(`signed by ${note.signatures.map(titleOf).join(', ')}`);
    if (target.signers) sayNeeded(note, signer, target.signers, io);
    return 0;
  } catch (error) {
    if (error instanceof UsageError) throw error;
    io.err((error as Error).message);
    return 1;
  }
}

function sayFallen(before: Found | undefined, kept: number, io: Io): void {
  if (!before || kept > 0 || before.signatures.length === 0) return;
  const names = before.signatures.map(titleOf).join(', ');
  io.err(`the manifest differs from the one that was there: no longer signed by ${names}`);
}

/** Says what the configuration asks for beyond this. */
function sayNeeded(note: Found, signer: Signer, rules: SignerRules, io: Io): void {
  const signers = readSigners(rules);
  const { by, missing } = signedBy(note, signers);
  const isKnown = signers.valid.some(({ id, name }) => id === signer.id && name === signer.name);
  if (!isKnown) io.err(`warning: ${titleOf(signer)} counts for nothing: see policy_signers.keys`);
  const more = signers.threshold - by.length;
  if (more <= 0) io.out(`${count(by.length, 'signature')} of ${signers.threshold} needed: enough`);
  else io.out(`${more} more needed, of ${missing.map(titleOf).join(', ')}`);
}

async function readSigner({ key, name, file }: KeyOptions, ask: Ask): Promise<Signer> {
  const pem = readPrivate(key);
  const beside = `${key}.pub`;
  if (name === undefined && !existsSync(beside)) {
    throw new NoteError(`there is no ${beside} to take the key's name from: say it with --name`);
  }
  const [known] = name === undefined ? readVerifiers(beside) : [];
  let passphrase: string | undefined;
  if (isEncrypted(pem)) {
    passphrase = file === undefined ? await ask(`Passphrase of ${key}: `) : readPassphrase(file);
  }
  let signer: Signer;
  try {
    signer = signerOf(known?.name ?? name!, parseKey(pem, passphrase));
  } catch (error) {
    throw new NoteError(`${key}: ${(error as Error).message}`, { cause: error });
  }
  if (known && !rawKey(known.key).equals(rawKey(signer.key))) {
    throw new NoteError(`${beside} is not the public key of ${key}`);
  }
  return signer;
}

/** The old file, or the new one: nothing between them. */
function replace(path: string, text: string): void {
  const temporary = join(dirname(path), `.${basename(path)}.${process.pid}.tmp`);
  try {
    const fd = openSync(temporary, 'wx', 0o644);
    try {
      const bytes = Buffer.from(text);
      for (let done = 0; done < bytes.length;) done += writeSync(fd, bytes, done);
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    renameSync(temporary, path);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
}
