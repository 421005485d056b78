/** A network namespace of a benchmark's own, with the TCP that its figures are comparable under. */
import { spawnSync } from 'node:child_process';

/**
 * Runs this program anew inside a namespace and ends with its exit code; inside, it returns.
 *
 * BBR paces on the loopback too, which makes figures meaningless: the namespace has reno.
 *
 * @param file the program
 * @param settings of sysctl, beside that one
 * @returns whether there is a namespace
 */
export function enterNamespace(file: string, settings: readonly string[] = []): boolean {
  if (process.env['BENCH_INSIDE'] !== undefined) return true;
  const all = ['net.ipv4.tcp_congestion_control=reno', ...settings];
  const script = `ip link set lo up && { ${all
    .map((setting) => `sysctl -q -w ${setting} || true`)
    .join('; ')}; } && exec "$@"`;
  const inside = ['sh', '-c', script, 'sh', process.execPath, file];
  const flags = process.getuid?.() === 0 ? ['-n'] : ['-rn'];
  if (spawnSync('unshare', [...flags, 'true']).status !== 0) return false;
  const { status } = spawnSync('unshare', [...flags, ...inside, ...process.argv.slice(2)], {
    stdio: 'inherit',
    env: { ...process.env, BENCH_INSIDE: '1' },
  });
  process.exit(status ?? 1);
}
