/**
 * Where sandboxes are mounted from: a process that has dropped its user cannot enter directories that
 * only root may enter, so root binds each part, in a mount namespace of its own, where all may.
 */
import { spawnSync } from 'node:child_process';
import { chmodSync, copyFileSync, mkdirSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** A tmpfs is mounted on it in the supervisor's own mount namespace; outside it stays empty. */
const PLACE = '/run/tidegate';

export interface View {
  /** A path by which a sandbox's user reaches `source`. */
  place(source: string, name: string): string;
  /** A directory of the view's own, which sandboxes may read. */
  directory(name: string): string;
}

/** As an ordinary user: everything is where it is. */
export function plainView(directory: string): View {
  return {
    place: (source) => source,
    directory(name) {
      const path = join(directory, name);
      mkdirSync(path, { recursive: true, mode: 0o700 });
      return path;
    },
  };
}

/**
 * As root, in a private mount namespace.
 *
 * @throws Error of mkdir or mount(8)
 */
export function boundView(): View {
  mkdirSync(PLACE, { recursive: true, mode: 0o755 });
  mount('-t', 'tmpfs', '-o', 'mode=0711,size=4m,nosuid,nodev', 'tmpfs', PLACE);
  return {
    place(source, name) {
      const path = join(PLACE, name);
      if (statSync(source).isDirectory()) mkdirSync(path, { recursive: true });
      else writeFileSync(path, '');
      mount('--bind', source, path);
      return path;
    },
    directory(name) {
      const path = join(PLACE, name);
      mkdirSync(path, { recursive: true });
      // The supervisor's own mask would keep the sandboxes out.
      chmodSync(path, 0o755);
      return path;
    },
  };
}

function mount(...args: readonly string[]): void {
  const { status, stderr, error } = spawnSync('/usr/bin/mount', args, {
    encoding: 'utf8',
    env: PATH,
  });
  if (error || status !== 0) {
    throw new Error(`mount ${args.join(' ')}: ${error?.message ?? stderr.trim()}`);
  }
}

const PATH = { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' };

/** What glibc reads to resolve names (resolv.conf(5), nsswitch.conf(5), hosts(5), gai.conf(5)). */
const NAME_FILES = ['resolv.conf', 'hosts', 'nsswitch.conf', 'host.conf', 'gai.conf'];
/** A file that changed less than this many ms ago is copied again: it may be in the writing. */
const SETTLED = 1000;

/**
 * Copies of the machine's name resolution, kept up to date: a file that is bound into a sandbox stays
 * the one that it was, whatever replaces it outside.
 */
export class Names {
  readonly #directory: string;
  readonly #source: string;
  readonly #seen = new Map<string, number>();

  constructor(directory: string, source = '/etc') {
    this.#directory = directory;
    this.#source = source;
    this.refresh();
  }

  refresh(): void {
    for (const name of NAME_FILES) {
      try {
        const source = join(this.#source, name);
        const { mtimeMs } = statSync(source);
        if (this.#seen.get(name) === mtimeMs) continue;
        const path = join(this.#directory, name);
        copyFileSync(source, `${path}.next`);
        chmodSync(`${path}.next`, 0o644);
        renameSync(`${path}.next`, path);
        if (Math.abs(Date.now() - mtimeMs) > SETTLED) this.#seen.set(name, mtimeMs);
      } catch {
        // What the machine does not have is not needed; what cannot be read is tried again.
      }
    }
  }
}
