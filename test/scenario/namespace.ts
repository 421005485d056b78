/**
 * A test that runs in a network namespace of its own, the relay and its servers with it: packets may
 * be dropped there, and a name server may have port 53, while nobody else notices.
 */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Test } from 'tap';

const INSIDE = 'TIDEGATE_TEST_INSIDE';

/** What runs before the test: loopback is down in a fresh namespace. */
const UP = 'ip link set lo up && exec "$@"';

/**
 * Runs the calling test file once more, inside; or skips it where there can be no namespaces.
 *
 * @param url the file's import.meta.url
 * @param tools commands that the test needs, each with an argument that makes it end well
 * @returns whether this process is inside and is to run the test
 * @throws Error if TIDEGATE_REQUIRE_ALL says that no test may be skipped
 */
export async function isInside(
  t: Test,
  url: string,
  tools: readonly (readonly [string, string])[],
): Promise<boolean> {
  if (process.env[INSIDE] !== undefined) return true;
  const needed = [['unshare', '--net', '--mount', 'true'], ['ip', '-V'], ...tools];
  const missing = needed.find(([file, ...args]) => spawnSync(file, args).status !== 0);
  if (missing || process.getuid?.() !== 0) {
    const text = `needs root and ${needed.map(([name]) => name).join(', ')}`;
    if (process.env['TIDEGATE_REQUIRE_ALL'] === '1') throw new Error(text);
    t.plan(0, text);
    return false;
  }
  const file = fileURLToPath(url);
  const command = [process.execPath, ...process.execArgv, file];
  const args = ['--net', '--mount', '--', 'sh', '-c', UP, 'sh', ...command];
  await t.spawn('unshare', args, { env: { ...process.env, [INSIDE]: '1' } }, 'in a namespace');
  return false;
}

/** Drops what goes to or comes from ports or addresses, silently, until told otherwise. */
export class Cable {
  constructor() {
    // On the way in: what is dropped on the way out is an error that its sender sees.
    nft(`add table inet cable
add set inet cable cut { type inet_service; }
add set inet cable deaf { type ipv4_addr; }
add chain inet cable in { type filter hook input priority 0; }
add rule inet cable in tcp dport @cut counter drop
add rule inet cable in tcp sport @cut counter drop
add rule inet cable in ip daddr @deaf counter drop`);
  }

  cut(port: number): void {
    nft(`add element inet cable cut { ${port} }`);
  }

  mend(port: number): void {
    nft(`delete element inet cable cut { ${port} }`);
  }

  /** Nothing reaches that address. */
  deafen(address: string): void {
    nft(`add element inet cable deaf { ${address} }`);
  }

  /** Packets that were dropped so far. */
  get dropped(): number {
    const text = nft('list chain inet cable in');
    return [...text.matchAll(/packets (\d+)/g)].reduce((sum, [, n]) => sum + Number(n), 0);
  }
}

function nft(commands: string): string {
  const { status, stdout, stderr } = spawnSync('nft', ['-f', '-'], {
    input: commands,
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(`nft: ${stderr}`);
  return stdout;
}
