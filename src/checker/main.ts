/**
 * checker: says whether other policies may replace those in force: they load, and their tests pass.
 *
 * HOLDS       the texts of the policies; no key: tests use the published one
 * READS       its settings
 * WRITES      what is wrong, a line each, to whoever asked
 * NEVER       has a network, a file of the relay, or an event of anybody
 * ON FAILURE  exit code 1: what was in force stays
 */
import { writeSync } from 'node:fs';
import { judge } from '../review/judge.js';
import { EXIT } from '../wire/exit.js';
import { FD } from '../wire/fd.js';
import { takeSettings } from '../wire/settings.js';

/** More of them tell no more. */
const MAX_LINES = 50;

const { policies, sources, channels } = takeSettings('checker');
const complaints = judge(policies, { sources, channels }, Date.now());
const more = complaints.length - MAX_LINES;
const shown = complaints.slice(0, MAX_LINES).concat(more > 0 ? [`... and ${more} more`] : []);
for (const line of shown) writeSync(FD.log, `${line}\n`);
process.exit(complaints.length === 0 ? EXIT.done : EXIT.failure);
