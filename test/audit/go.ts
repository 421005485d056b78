/** The verifier of logs that is not ours: verifier/main.go, on Go's packages as Debian has them. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const SOURCE = fileURLToPath(new URL('./verifier/main.go', import.meta.url));
const CODE = '/usr/share/gocode';

/**
 * Builds it into a directory.
 *
 * @returns its path, and why what needs it is skipped, where Go or Debian's package is missing
 * @throws Error instead if TIDEGATE_REQUIRE_ALL says that no test may be skipped
 */
export async function buildVerifier(
  directory: string,
): Promise<{ verifier: string; skip: string | false }> {
  const env = {
    ...process.env,
    GO111MODULE: 'off',
    GOPATH: CODE,
    GOCACHE: join(directory, 'cache'),
    GOFLAGS: '-mod=mod',
    CGO_ENABLED: '0',
  };
  const verifier = join(directory, 'verifier');
  try {
    await promisify(execFile)('go', ['build', '-o', verifier, SOURCE], { env });
    return { verifier, skip: false };
  } catch (error) {
    if (process.env['TIDEGATE_REQUIRE_ALL'] === '1') throw error;
    return { verifier, skip: `no verifier: ${(error as Error).message.split('\n')[0]}` };
  }
}
