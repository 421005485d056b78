/** `tidegate policy verify`: who has signed policies, and whether that is enough. */
import { readVerifiers } from '../note/key-file.js';
import { formatVerifier, parseVerifier } from '../note/note.js';
import {
  readNote,
  readSigners,
  type Signed,
  signedBy,
  type SignerRules,
  titleOf,
} from '../signing/signers.js';
import { refuseFew, refuseOther } from '../signing/verify.js';
import { quote } from '../pki/options.js';
import { readText } from '../config/text.js';
import { parseStrictly, UsageError } from './arguments.js';
import type { Io } from './io.js';
import {
  describeTarget,
  readFound,
  readTarget,
  showManifest,
  type Target,
} from './signed-files.js';

export const POLICY_VERIFY_HELP = `tidegate policy verify - who has signed policies

Usage: tidegate policy verify FILE... --signers KEYS [--threshold N] [--manifest PATH]
       tidegate policy verify -c CONFIG

Reads the policies and their manifest, and says whether they are what was signed, who has signed,
and who is missing. A revoked key's signature, and that of a key that is not named, count for
nothing; one person with two keys of one name counts once. The files are in the order of the
configuration. Nothing is started, and no relay is needed.

  -s, --signers KEYS    whose signatures are looked for: a public key, or a file of them, one a
                        line; may be given more than once
  -t, --threshold N     how many must have signed; default: all
  -c, --config FILE     takes files, manifest, signers and threshold from the configuration
  -m, --manifest PATH   default: the first policy file's name with .manifest behind it
  -h, --help            this text

Whether a revision is lower than the last one in force is known to the relay alone.

With OpenSSL, for those who trust no tool of ours: the signed text is the manifest up to its empty
line, and a signature is the last 64 bytes of what is behind the name, in base64; see the README.

Exit codes: 0 signed by enough, 1 not, 2 usage.

Examples:
  tidegate policy verify -c /etc/tidegate/tidegate.yaml
  tidegate policy verify hall.yaml never.yaml -s alice.key.pub -s bob.key.pub`;

const OPTIONS = {
  signers: { type: 'string', short: 's', multiple: true },
  threshold: { type: 'string', short: 't' },
  config: { type: 'string', short: 'c' },
  manifest: { type: 'string', short: 'm' },
  help: { type: 'boolean', short: 'h', default: false },
} as const;

/**
 * Runs `tidegate policy verify`; returns the exit code.
 *
 * @param now ms since 1970, for what has expired
 * @throws UsageError
 */
export function policyVerify(args: readonly string[], io: Io, now = Date.now()): number {
  const { values, positionals } = parseStrictly(args, OPTIONS);
  if (values.help) {
    io.out(POLICY_VERIFY_HELP);
    return 0;
  }
  const { config, signers: named, threshold, manifest } = values;
  if (config !== undefined && (named ?? threshold) !== undefined) {
    throw new UsageError('--signers and --threshold are in the configuration: not with -c');
  }
  if (config === undefined && !named) throw new UsageError('--signers is missing: public keys');
  try {
    const given = named && rulesOf(named, threshold);
    const target = readTarget(positionals, config, manifest, now);
    const rules = given ?? target.signers;
    if (!rules) throw new Error(`${config!} asks for no signatures: it has no policy_signers`);
    return verify(target, rules, io);
  } catch (error) {
    if (error instanceof UsageError) throw error;
    io.err((error as Error).message);
    return 1;
  }
}

function rulesOf(named: readonly string[], threshold: string | undefined): SignerRules {
  if (threshold !== undefined && !/^[1-9]\d{0,3}$/.test(threshold)) {
    throw new UsageError(`--threshold takes a whole number from 1 on, not ${quote(threshold)}`);
  }
  const keys = named.flatMap((text) =>
    /\+[0-9a-f]{8}\+/.test(text) ? [parseVerifier(text)] : readVerifiers(text),
  );
  const all = new Set(keys.map(({ name }) => name)).size;
  const number = threshold === undefined ? all : Number(threshold);
  return { keys: keys.map(formatVerifier), threshold: number, revoked: [] };
}

function verify(target: Target, rules: SignerRules, io: Io): number {
  const found = readFound(target.manifest);
  if (!found) {
    throw new Error(`there is no manifest ${target.manifest}: 'tidegate policy sign' makes it`);
  }
  const note = readNote(readText(target.manifest));
  const described = describeTarget(target, note.text);
  showManifest(described, (line) => io.out(line));
  refuseOther(note.text, described.manifest);
  const signers = readSigners(rules);
  const signed = signedBy(note, signers);
  for (const line of describe(signed)) io.out(line);
  refuseFew(signed, signers);
  io.out(`signed by ${signed.by.length}, ${signers.threshold} needed`);
  return 0;
}

function describe({ by, missing, revoked, unknown }: Signed): string[] {
  return [
    ...by.map((key) => `signed   ${titleOf(key)}`),
    ...missing.map((key) => `missing  ${titleOf(key)}`),
    ...revoked.map((key) => `revoked  ${titleOf(key)}: its signature counts for nothing`),
    ...unknown.map((title) => `unknown  ${title}: its signature counts for nothing`),
  ];
}
