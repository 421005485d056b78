/** What a ruleset is made of: the configuration, and what was found out for it. */
import type { Config } from '../config/config.js';
import type { Address } from './address.js';
import type { LoginLine } from './script.js';

/** A link's server, as found. */
export interface Server {
  /** Without doubles; at least one. */
  readonly addresses: readonly Address[];
  /** Whether its host is a name, so that its process asks the name servers. */
  readonly named: boolean;
}

export interface LowerServer extends Server {
  readonly lines: readonly LoginLine[];
}

/** All that a ruleset is made of; servers in the order of the configuration. */
export interface RulesetParts {
  readonly config: Config;
  readonly lowers: readonly LowerServer[];
  readonly uppers: readonly Server[];
  readonly resolvers: readonly Address[];
}
