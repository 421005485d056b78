/** The relay without its audit log, to compare: a copy of the program whose log takes everything and writes nothing. */
import { appendFileSync, cpSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { DIST, ROOT } from './place.js';

const COPY = join(ROOT, '.bench', 'unaudited');

let made = false;

/** Where the program is, with its log or without. */
export function programOf(audited: boolean): string {
  if (audited) return DIST;
  if (!made) {
    rmSync(COPY, { recursive: true, force: true });
    cpSync(DIST, join(COPY, 'dist'), { recursive: true });
    cpSync(join(ROOT, 'package.json'), join(COPY, 'package.json'));
    appendFileSync(
      join(COPY, 'dist/audit/log.js'),
      'AuditLog.prototype.append = (now, batch, meanwhile) => (meanwhile(), true);\n' +
        'AuditLog.prototype.note = () => true;\n',
    );
    made = true;
  }
  return join(COPY, 'dist');
}
