/** `tidegate completion`: completion scripts for shells. */
import { didYouMean } from '../document/nearest.js';
import { LANES } from '../journal/format.js';
import { parseStrictly, UsageError } from './arguments.js';
import type { Io } from './io.js';

const WORDS: Readonly<Record<string, string>> = {
  check: '-c --config --help',
  run: '-c --config --pretty --help',
  status: '-c --config --json --watch --help',
  metrics: '-c --config --textfile --help',
  reload: '-c --config --help',
  seals: '-c --config --json --outside --brief --listing --arch --help',
  nft: '-c --config --resolvers --check --help',
  board: '-c --config --check --pretty --help',
  policy: 'check test explain schema import keygen sign verify --help',
  journal: 'ls cat verify --help',
  audit: 'verify show prove check-proof reconcile beacons --help',
  pki: 'init issue --dir --name --days --client --server --host --help',
  completion: 'bash zsh fish --help',
  help: 'check run status metrics reload policy journal audit seals nft board pki completion',
};
/** Options below a command of a command; what is no option there is a file. */
const BELOW: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  policy: {
    check: '--format --strict --help',
    test: '--coverage --json --help',
    explain: '--event --source --at --journal --from --count --brief --json --help',
    schema: '--out --help',
    import: '--dm --id --channel --zone --out --help',
    keygen: '--name --out --passphrase-file --no-passphrase --help',
    sign: '-c --config --key --name --manifest --passphrase-file --help',
    verify: '-c --config --signers --threshold --manifest --help',
  },
  journal: {
    ls: '-c --config --json --help',
    cat: '-c --config --lane --from --to --since --until --follow --json --vscp --help',
    verify: '-c --config --json --help',
  },
  audit: {
    verify:
      '-c --config --key --since --witness --signer --threshold --journal --allow-gaps --json --help',
    show: '-c --config --since --until --kind --rule --source --json --help',
    prove: '-c --config --journal --open --out --help',
    'check-proof': '--key --json --help',
    reconcile: '-c --config --received --channel --repeats --json --help',
    beacons: '--key --checkpoints --json --help',
  },
};
const GROUPS = Object.keys(BELOW);
const FORMATS = 'text github json';
const COMMANDS = [...Object.keys(WORDS), '--version'].join(' ');

const BASH = `_tidegate() {
  local word="\${COMP_WORDS[COMP_CWORD]}" before="\${COMP_WORDS[COMP_CWORD-1]}"
  case "$before" in
    -c|--config|--textfile|--key|--manifest|--passphrase-file|--signers) COMPREPLY=($(compgen -f -- "$word")); return ;;
    --format) COMPREPLY=($(compgen -W "${FORMATS}" -- "$word")); return ;;
    --lane) COMPREPLY=($(compgen -W "${LANES.join(' ')}" -- "$word")); return ;;
  esac
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W "${COMMANDS}" -- "$word"))
    return
  fi
  if [ "$COMP_CWORD" -gt 2 ]; then
    # Readline completes what is no option, as a file.
    case "\${COMP_WORDS[1]} \${COMP_WORDS[2]} $word" in
${GROUPS.flatMap((group) =>
  Object.entries(BELOW[group]!).map(
    ([name, words]) =>
      `      ${group}\\ ${name}\\ -*) ` +
      `COMPREPLY=($(compgen -W "${words}" -- "$word")); return ;;`,
  ),
).join('\n')}
      ${GROUPS.map((group) => `${group}\\ *`).join('|')}) COMPREPLY=(); return ;;
    esac
  fi
  case "\${COMP_WORDS[1]}" in
${Object.entries(WORDS)
  .map(([name, words]) => `    ${name}) COMPREPLY=($(compgen -W "${words}" -- "$word")) ;;`)
  .join('\n')}
  esac
}
complete -o default -F _tidegate tidegate`;

/** Of a command: the words come after it, and after none of another group. */
function fishWords(name: string, words: string): string {
  const inside = Object.hasOwn(BELOW, name) ? Object.keys(BELOW[name]!) : [];
  const others = [...GROUPS.filter((group) => group !== name), ...inside].join(' ');
  const seen = `__fish_seen_subcommand_from ${name}; and not __fish_seen_subcommand_from ${others}`;
  return `complete -c tidegate -n '${seen}' -a '${words}'`;
}

const FISH = [
  `complete -c tidegate -f -n __fish_use_subcommand -a '${COMMANDS}'`,
  ...Object.entries(WORDS).map(([name, words]) => fishWords(name, words)),
  ...GROUPS.flatMap((group) =>
    Object.entries(BELOW[group]!).map(
      ([name, words]) =>
        `complete -c tidegate -n '__fish_seen_subcommand_from ${group}; ` +
        `and __fish_seen_subcommand_from ${name}' -a '${words}'`,
    ),
  ),
].join('\n');

const SCRIPTS: Readonly<Record<string, string>> = {
  bash: BASH,
  zsh: `autoload -U +X bashcompinit && bashcompinit\n${BASH}`,
  fish: FISH,
};

const HELP = `tidegate completion - print a completion script

Usage: tidegate completion bash|zsh|fish

Example:
  source <(tidegate completion bash)`;

/** Runs `tidegate completion`; returns the exit code. */
export function completion(args: readonly string[], io: Io): number {
  const { values, positionals } = parseStrictly(args, {
    help: { type: 'boolean', short: 'h', default: false },
  });
  const [shell] = positionals;
  if (values.help) {
    io.out(HELP);
    return 0;
  }
  const script = shell !== undefined && Object.hasOwn(SCRIPTS, shell) ? SCRIPTS[shell] : undefined;
  if (script === undefined) {
    const hint = didYouMean(shell ?? '', Object.keys(SCRIPTS)) || '; known: bash, zsh, fish';
    throw new UsageError(shell === undefined ? 'name a shell' + hint : `unknown shell${hint}`);
  }
  io.out(script);
  return 0;
}
