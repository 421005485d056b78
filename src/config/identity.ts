/** The numeric users of the relay's processes: one for each, so that the kernel tells them apart. */
import type { Config } from './config.js';

/** Numbers that a relay occupies, from `uids` of its configuration on. */
export const IDENTITIES = 1024;
/**
 * The first number where the configuration names none: in a range that neither distributions nor
 * systemd give to anybody (systemd.io, "Users, Groups, UIDs and GIDs on systemd Systems").
 */
export const FIRST_IDENTITY = 2_000_000_000;

export type Role = 'lower' | 'valve' | 'gate' | 'checker' | 'dial' | 'upper';

/** Where each role's numbers begin; there are at most 64 lowers and 64 uppers. */
const OFFSETS: Readonly<Record<Role, number>> = {
  gate: 1,
  checker: 2,
  lower: 100,
  valve: 200,
  dial: 300,
  upper: 400,
};
const CHANNELS = 500;

/** User number of a process; `index`: of its lower or upper in the configuration. */
export function uidOf({ uids }: Config, role: Role, index = 0): number {
  return uids + OFFSETS[role] + index;
}

/** Group number of a channel: its journal's readers. */
export function gidOf({ uids }: Config, channel: number): number {
  return uids + CHANNELS + channel;
}
