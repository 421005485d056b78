/** The state directory: who owns which part of it, and what of it stands in whose sandbox. */
import { chmodSync, existsSync, lchownSync, lstatSync, mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Config } from '../config/config.js';
import { gidOf, uidOf } from '../config/identity.js';
import { isRoot } from './available.js';
import type { Launcher } from './launch.js';
import { type Mount, STATE } from './sandbox.js';

/** A directory of the state, for the settings and the sandboxes of those that have it. */
export class Part {
  /** Where the process that has it finds it. */
  readonly path: string;
  readonly #source: string;

  constructor(launcher: Launcher, state: string, parts: readonly string[]) {
    const real = join(state, ...parts);
    this.#source = launcher.sealed ? launcher.view.place(real, parts.join('-')) : real;
    this.path = launcher.sealed ? join(STATE, ...parts) : real;
  }

  readOnly(): Mount {
    return { source: this.#source, target: this.path };
  }

  writable(): Mount {
    return { ...this.readOnly(), writable: true };
  }
}

export class State {
  readonly gate: Part;
  /** The audit log, for whoever may enter the state. */
  readonly audit: Part;
  readonly #journals: readonly Part[];

  /** @throws Error of the file system */
  constructor(config: Config, launcher: Launcher) {
    const separate = launcher.sealed && isRoot();
    const make = (uid: number, gid: number, mode: number, ...parts: string[]): Part => {
      const path = join(config.state, ...parts);
      mkdirSync(path, { recursive: true, mode: 0o700 });
      // Without sandboxes, root takes back what an earlier start gave away.
      if (separate) own(path, uid, gid, mode);
      else if (isRoot()) own(path, 0, 0, 0o700);
      return new Part(launcher, config.state, parts);
    };
    const gate = uidOf(config, 'gate');
    this.gate = make(gate, gate, 0o700, 'gate');
    this.audit = make(gate, gate, 0o755, 'audit');
    this.#journals = config.channels.map(({ name }, i) => {
      // Its files are readable for whoever may enter it: the gate, and the channel's readers.
      // Later the gate's directory is not for this user to look into.
      if (!existsSync(join(config.state, 'journal', name))) {
        make(gate, gidOf(config, i), 0o750, 'journal', name, 'urgent');
      }
      return make(gate, gidOf(config, i), 0o750, 'journal', name);
    });
    // An upper's files are handed to it open.
    for (const { name } of config.uppers) make(0, 0, 0o700, 'upper', name);
  }

  /** Of a channel, by its place in the configuration. */
  journal(channel: number): Part {
    return this.#journals[channel]!;
  }
}

/**
 * Gives a directory, and what is in it, to a user; a link is never followed. One that has the
 * right owner is left as it is: that takes no right but that to change owners.
 */
function own(path: string, uid: number, gid: number, mode: number): void {
  const found = lstatSync(path);
  const { uid: owner, gid: group, mode: bits } = found;
  if (!found.isDirectory()) throw new Error(`${path} is not a directory`);
  if (owner === uid && group === gid && (bits & 0o7777) === mode) return;
  for (const entry of readdirSync(path, { withFileTypes: true })) {
    const inner = join(path, entry.name);
    if (entry.isDirectory()) own(inner, uid, gid, lstatSync(inner).mode & 0o7777);
    else lchownSync(inner, uid, gid);
  }
  // While it is still this user's own.
  if ((bits & 0o7777) !== mode) chmodSync(path, mode);
  lchownSync(path, uid, gid);
}
