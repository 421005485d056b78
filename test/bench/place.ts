/** Where the benchmark finds the program, and writes. */
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
export const DIST = join(ROOT, 'dist');
/** The journal stands on the disk of the checkout: a temporary directory may be memory. */
export const SCRATCH = join(ROOT, '.bench', 'scratch');
