/** Whether the audit log of a relay that has ended is whole, and fits the journals that it left. */
import { join } from 'node:path';
import { auditVerify } from '../../src/cli/audit-verify.js';

/** @returns what is wrong with it; nothing: all is well */
export function judgeLog(state: string): string[] {
  const log = join(state, 'audit');
  const said: string[] = [];
  const out = (text: string): void => void said.push(text);
  const args = [log, '--key', join(log, 'key.pub'), '--journal', join(state, 'journal'), '--json'];
  const code = auditVerify(args, { out, err: out });
  const { findings, opened } = JSON.parse(said.join('')) as {
    findings: readonly { what: string; leaf?: number; message: string }[];
    opened: { right: number };
  };
  if (code === 0) return opened.right > 0 ? [] : ['it names nothing that the journals hold'];
  const lines = findings.map(({ what, leaf, message }) => `${what} ${leaf ?? ''}: ${message}`);
  return ['the audit log is not whole', ...lines];
}
