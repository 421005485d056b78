/** `tidegate metrics`: a relay's counters for Prometheus. */
import { chmodSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Config } from '../config/config.js';
import { parseStrictly, refuseExtra, UsageError } from './arguments.js';
import { describeError } from './check.js';
import { loadInstalled } from './installed.js';
import type { Io } from './io.js';
import { describeMetrics } from './metrics-families.js';
import { renderMetrics } from '../metrics/text.js';
import { lookAt, RightsError } from './status-look.js';
import { judge } from './status-verdict.js';

export const METRICS_HELP = `tidegate metrics - print a relay's counters for Prometheus

Usage: tidegate metrics [-c FILE] [--textfile PATH]

Prints OpenMetrics text, read from the status files as 'tidegate status' does: nothing is asked of
a process, and there is no port. With --textfile it replaces PATH, in one step, by the format that
node_exporter's textfile collector reads. Run it as root, or as the user that runs the relay.

Names begin with tidegate_; labels are source, channel, upper, lane, reason, process, seal, part.
Of a relay that does not run, tidegate_up, the links and tidegate_forwarding are 0; counters stand
as they were written last: the next processes go on with most of them. What a gate that was killed
had counted and not written to the journal yet is taken back: Prometheus sees a reset then.

  -c, --config FILE   the configuration; default ./tidegate.yaml
  --textfile PATH     the file to replace; its name must end in .prom
  -h, --help          this text

Exit codes: 0 printed or written, whether the relay runs or not, 1 it failed, 2 usage.

Examples:
  tidegate metrics -c /etc/tidegate/tidegate.yaml
  tidegate metrics --textfile /var/lib/prometheus/node-exporter/tidegate.prom
Alerts:
  tidegate_up == 0 or tidegate_forwarding == 0
  increase(tidegate_events_lost_total[5m]) > 0 or increase(tidegate_upper_expired_total[5m]) > 0
  tidegate_certificate_expiry_timestamp_seconds - time() < 30 * 86400`;

/** Runs `tidegate metrics`; returns the exit code. */
export function metrics(args: readonly string[], io: Io): number {
  const { values, positionals } = parseStrictly(args, {
    config: { type: 'string', short: 'c', default: 'tidegate.yaml' },
    textfile: { type: 'string' },
    help: { type: 'boolean', short: 'h', default: false },
  });
  if (values.help) {
    io.out(METRICS_HELP);
    return 0;
  }
  refuseExtra(positionals);
  const { textfile } = values;
  if (textfile !== undefined && !textfile.endsWith('.prom')) {
    throw new UsageError("--textfile: node_exporter reads files whose names end in '.prom' only");
  }
  let config: Config;
  try {
    config = loadInstalled(values.config);
  } catch (error) {
    io.err(describeError(error, values.config));
    return 1;
  }
  try {
    const look = lookAt(config);
    const families = describeMetrics(look, judge(look));
    if (textfile === undefined) io.out(renderMetrics(families, 'openmetrics').trimEnd());
    else replaceText(textfile, renderMetrics(families, 'textfile'));
    return 0;
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (!(error instanceof RightsError) && code === undefined) throw error;
    io.err(code === undefined ? message : `cannot write ${resolve(textfile ?? '.')}: ${code}`);
    return 1;
  }
}

/** The collector sees the old text or the new one; it runs as another user. */
function replaceText(path: string, text: string): void {
  const next = `${path}.next`;
  try {
    rmSync(next, { force: true });
    writeFileSync(next, text, { mode: 0o644, flag: 'wx' });
    chmodSync(next, 0o644);
    renameSync(next, path);
  } catch (error) {
    rmSync(next, { force: true });
    throw error;
  }
}
