#!/usr/bin/env node
/**
 * tidegate: the command line.
 *
 * HOLDS       nothing
 * READS       its arguments, and the files that the command names
 * WRITES      what the command says it writes
 * NEVER       forwards an event
 * ON FAILURE  says why in one line; exit code 1 for the work, 2 for the command line; `status`: 3
 */
import { readFileSync } from 'node:fs';
import { didYouMean } from '../document/nearest.js';
import { quote } from '../pki/options.js';
import { UsageError } from './arguments.js';
import { audit } from './audit.js';
import { board } from './board.js';
import { check } from './check.js';
import { completion } from './completion.js';
import type { Command } from './group.js';
import type { Io } from './io.js';
import { journal } from './journal.js';
import { metrics } from './metrics.js';
import { nft } from './nft.js';
import { pki } from './pki.js';
import { policy } from './policy.js';
import { reload } from './reload.js';
import { run } from './run.js';
import { seals } from './seals.js';
import { status } from './status.js';

const HELP = `tidegate - a one-way security relay for VSCP networks

Reads events from lower VSCP servers and forwards upward, over TLS, only what its policy files
permit. It has no path by which anything could be written downstream.

Usage: tidegate COMMAND [OPTIONS]

  check        say whether a configuration is right
  run          run the relay
  status       say whether a relay is well, and show it
  metrics      print a relay's counters for Prometheus
  reload       replace the policies of a running relay
  policy       check, test and explain policy files
  journal      look at what has gone out, and whether it is whole
  audit        what was decided, and proof of it for those who trust nobody
  seals        try everything that the relay's processes must not be able to do
  nft          print the packet filter's rules for a relay
  board        show a relay's events to the public
  pki          make a certificate authority and certificates
  completion   print a completion script for bash, zsh or fish
  help         this text; 'tidegate COMMAND --help' for one command

A first relay:
  tidegate pki init                          a certificate authority in ./pki
  tidegate pki issue relay                   the relay's own certificate
  tidegate policy check policy.yaml          until it prints 'policy OK'
  tidegate check -c tidegate.yaml            until it prints 'configuration OK'
  tidegate run -c tidegate.yaml
  tidegate status -c tidegate.yaml --watch

To see it all at work on a simulated plant: npm start`;

export const COMMANDS: Readonly<Record<string, Command>> = {
  check,
  run,
  status,
  metrics,
  reload,
  policy,
  journal,
  audit,
  seals,
  nft,
  board,
  pki,
  completion,
};

function version(): string {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}

async function main(args: readonly string[], io: Io): Promise<number> {
  const [name, ...rest] = args;
  if (name === 'help' && rest.length > 0) return main([...rest.slice(0, 1), '--help'], io);
  if (name === undefined || name === 'help' || name === '--help' || name === '-h') {
    io.out(HELP);
    return name === undefined ? 2 : 0;
  }
  if (name === '--version' || name === '-V' || name === 'version') {
    io.out(`tidegate ${version()}`);
    return 0;
  }
  const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  try {
    if (command) return await command(rest, io);
    const hint = didYouMean(name, Object.keys(COMMANDS)) || "; see 'tidegate help'";
    throw new UsageError(`unknown command ${quote(name)}${hint}`);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    io.err(`tidegate: ${error.message}`);
    return 2;
  }
}

// `tidegate ... | head` has seen enough: that is no failure.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit();
  process.stderr.write(`tidegate: cannot print: ${error.code ?? error.message}\n`);
  // Of 'status', 1 would be a verdict.
  process.exit(process.argv[2] === 'status' ? 3 : 1);
});
process.exitCode = await main(process.argv.slice(2), {
  out: (line) => process.stdout.write(`${line}\n`),
  err: (line) => process.stderr.write(`${line}\n`),
  terminal: process.stdout.isTTY,
  columns: process.stdout.columns,
});
