/** Every process of a relay with its user and its files: for whoever starts it, or tries to break out. */
import type { Config } from '../config/config.js';
import { gidOf, uidOf } from '../config/identity.js';
import { type Launcher, type Start } from './launch.js';
import { type Mount, NAMES } from './sandbox.js';
import { State } from './state.js';
import type { Role } from './table.js';
import { Names } from './view.js';

export type Confinement = Pick<Start, 'role' | 'uid' | 'gid' | 'mounts'>;

export class Confines {
  readonly state: State;
  readonly #config: Config;
  readonly #names: Names | undefined;
  readonly #dialMounts: readonly Mount[];

  /** @throws Error of the file system */
  constructor(config: Config, launcher: Launcher) {
    this.#config = config;
    this.state = new State(config, launcher);
    if (!launcher.sealed) {
      this.#dialMounts = [];
      return;
    }
    const directory = launcher.view.directory('names');
    this.#names = new Names(directory);
    this.#dialMounts = [{ source: directory, target: NAMES }];
  }

  /** Where the channel of an upper stands in the configuration. */
  channelOf(upper: number): number {
    const { channel } = this.#config.uppers[upper]!;
    return this.#config.channels.findIndex(({ name }) => name === channel);
  }

  /** @param index of its lower or upper in the configuration */
  of(role: Role, index = 0): Confinement {
    const uid = uidOf(this.#config, role, index);
    return { role, uid, gid: this.#group(role, index, uid), mounts: this.#mounts(role, index) };
  }

  /** Takes over what has changed in the machine's name resolution. */
  refreshNames(): void {
    this.#names?.refresh();
  }

  #group(role: Role, index: number, uid: number): number {
    return role === 'upper' ? gidOf(this.#config, this.channelOf(index)) : uid;
  }

  #mounts(role: Role, index: number): readonly Mount[] {
    switch (role) {
      case 'lower':
      case 'dial':
        return this.#dialMounts;
      case 'valve':
      case 'checker':
        return [];
      case 'gate':
        return [
          this.state.gate.writable(),
          this.state.audit.writable(),
          ...this.#config.channels.map((_, channel) => this.state.journal(channel).writable()),
        ];
      case 'upper':
        return [this.state.journal(this.channelOf(index)).readOnly()];
    }
  }
}
