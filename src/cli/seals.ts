/** `tidegate seals`: what the kernel refuses to a relay's processes, tried for real. */
import { spawn, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Config } from '../config/config.js';
import { didYouMean } from '../document/nearest.js';
import { isRoot } from '../seal/available.js';
import { compileFilter, type FilterName, FILTERS } from '../seal/filters.js';
import { type Examination, examine, type Finding } from '../seals/examine.js';
import { palette, wantsColours } from '../terminal/palette.js';
import { asSupervisor, inPrivateNamespace } from '../wire/parent.js';
import { parseStrictly, refuseExtra, UsageError } from './arguments.js';
import { describeError } from './check.js';
import { loadInstalled } from './installed.js';
import type { Io } from './io.js';

const SEALS_HELP = `tidegate seals - try everything that a relay's processes must not be able to do

Usage: tidegate seals [-c FILE] [--json] [--outside] [--brief]
       tidegate seals --listing ROLE [--arch x64|arm64]

Starts every process's real sandbox with a probe in the process's place. The probe makes raw system
calls: it tries to write downward, to open sockets, to reach other processes, files and memory.
Meanwhile its descriptors, user, namespaces and mounts are looked at from outside. Prints what was
tried, what the kernel answered, and whether the seal held. No server is needed, none is connected
to; secrets are not read; a relay that runs is not disturbed.

As root it examines what 'tidegate run' does as root: a user for each process. As an ordinary user
it examines what can be had then, and says what is weaker.

  -c, --config FILE   the configuration; default ./tidegate.yaml
  --json              one JSON object: seals, held, total, outside
  --outside           count what lies outside the processes too: the rules of 'tidegate nft'
  --brief             print only what did not hold, and the sums
  --listing ROLE      print the filter of system calls of lower, valve, gate, dial or upper
  --arch ARCH         of the listing; default this machine's
  -h, --help          this text

Exit codes: 0 all held, 1 one did not, or there can be no seals here, 2 usage.

Examples:
  sudo npx tidegate seals -c /etc/tidegate/tidegate.yaml
  npx tidegate seals --listing valve`;

/** Set for the process that this command starts in a mount namespace of its own. */
const INSIDE = 'TIDEGATE_SEALS_INSIDE';

/** Runs `tidegate seals`; returns the exit code. */
export async function seals(args: readonly string[], io: Io): Promise<number> {
  const { values, positionals } = parseStrictly(args, {
    config: { type: 'string', short: 'c', default: 'tidegate.yaml' },
    json: { type: 'boolean', default: false },
    outside: { type: 'boolean', default: false },
    brief: { type: 'boolean', default: false },
    listing: { type: 'string' },
    arch: { type: 'string' },
    help: { type: 'boolean', short: 'h', default: false },
  });
  if (values.help) {
    io.out(SEALS_HELP);
    return 0;
  }
  refuseExtra(positionals);
  if (values.listing !== undefined) return list(values.listing, values.arch ?? process.arch, io);
  if (values.arch !== undefined) throw new UsageError('--arch goes with --listing');
  let config: Config;
  try {
    config = loadInstalled(values.config);
  } catch (error) {
    io.err(describeError(error, values.config));
    return 1;
  }
  if (isRoot() && !inPrivateNamespace() && process.env[INSIDE] === undefined) return again(args);
  const progress = process.stderr.isTTY ? showProgress : () => undefined;
  let examination: Examination;
  try {
    examination = await examine(config, progress);
  } catch (error) {
    io.err((error as Error).message);
    return 1;
  } finally {
    if (process.stderr.isTTY) process.stderr.write('\r\x1b[K');
  }
  const outside = [checkRuleset(), ...examination.outside];
  const counted = values.outside ? [...examination.seals, ...outside] : examination.seals;
  if (values.json) io.out(JSON.stringify(toReport(examination, outside)));
  else print(examination, outside, values.brief, values.outside, io);
  return counted.every(({ held }) => held) ? 0 : 1;
}

/** The same command, in a mount namespace of its own, where root mounts what sandboxes need. */
function again(args: readonly string[]): Promise<number> {
  const entry = fileURLToPath(new URL('main.js', import.meta.url));
  const [command, rest] = asSupervisor([process.execPath, entry, 'seals', ...args]);
  const child = spawn(command, rest, { stdio: 'inherit', env: { ...process.env, [INSIDE]: '1' } });
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('exit', (code) => resolve(code ?? 1));
  });
}

function list(role: string, arch: string, io: Io): number {
  if (!Object.hasOwn(FILTERS, role)) {
    const hint =
      didYouMean(role, Object.keys(FILTERS)) || `; known: ${Object.keys(FILTERS).join(', ')}`;
    throw new UsageError(`no process is called '${role}'${hint}`);
  }
  if (arch !== 'x64' && arch !== 'arm64') throw new UsageError('--arch takes x64 or arm64');
  const { program, listing } = compileFilter(role as FilterName, arch);
  io.out(`# ${role}, ${arch}: ${program.length / 8} instructions of classic BPF (seccomp(2))`);
  for (const line of listing) io.out(line);
  return 0;
}

/** Whether the packet filter's table is there: the kernel's answer, not a file's. */
function checkRuleset(): Finding {
  const finding = { process: 'nftables', attempt: 'the table inet tidegate is loaded' } as const;
  const nft = ['/usr/sbin/nft', '/sbin/nft'].find(existsSync);
  if (nft === undefined) return { ...finding, answer: 'nft is not installed', held: false };
  const { status, stderr } = spawnSync(nft, ['list', 'table', 'inet', 'tidegate'], {
    encoding: 'utf8',
  });
  const answer = status === 0 ? 'loaded' : (stderr.split('\n')[0] ?? '').slice(0, 60);
  return { ...finding, answer, held: status === 0 };
}

function toReport({ seals, inForce }: Examination, outside: readonly Finding[]) {
  return {
    seals,
    held: seals.filter(({ held }) => held).length,
    total: seals.length,
    outside,
    weaker: inForce.filter((each) => !each.inForce).map(({ seal, reason }) => ({ seal, reason })),
  };
}

function print(
  examination: Examination,
  outside: readonly Finding[],
  brief: boolean,
  counted: boolean,
  io: Io,
): void {
  const { bold, green, red } = palette(wantsColours(io.terminal));
  const width = Math.max(
    ...[...examination.seals, ...outside].map(({ attempt }) => attempt.length),
  );
  const row = ({ attempt, answer, held }: Finding): string =>
    `  ${attempt.padEnd(Math.min(width, 60))}  ${answer.padEnd(12)}  ` +
    (held ? green('held') : red('NOT HELD'));
  const section = (findings: readonly Finding[]): void => {
    let last = '';
    for (const finding of findings) {
      if (brief && finding.held) continue;
      const of =
        finding.name === undefined ? finding.process : `${finding.process} ${finding.name}`;
      if (of !== last) io.out(`${last === '' ? '' : '\n'}${bold(of)}`);
      last = of;
      io.out(row(finding));
    }
  };
  section(examination.seals);
  if (!brief || outside.some(({ held }) => !held)) {
    const note = counted ? '' : ' (not counted without --outside)';
    io.out(`\n${bold('outside the processes')}${note}`);
    section(outside);
  }
  for (const { seal, inForce, reason } of examination.inForce) {
    if (!inForce) io.out(`\nweaker: ${seal}: ${reason ?? ''}`);
  }
  const all = counted ? [...examination.seals, ...outside] : examination.seals;
  const held = all.filter((finding) => finding.held).length;
  io.out(`\n${held} of ${all.length} held${held === all.length ? '' : red(': NOT SEALED')}`);
}

function showProgress(subject: string, done: number, of: number): void {
  process.stderr.write(`\r\x1b[K${done} of ${of}: ${subject} ...`);
}
