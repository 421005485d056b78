/** A quiet gate's log: signs of life, and sums, by a clock of the test. */
import { generateKeyPairSync } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { parseCheckpoint } from '../../src/audit/checkpoint.js';
import { LogDirectory } from '../../src/audit/directory.js';
import { decodeLeaf, type Start } from '../../src/audit/leaf.js';
import { AuditLog } from '../../src/audit/log.js';
import type { Done, Scribe } from '../../src/audit/scribe.js';
import { inspectLog } from '../../src/audit/tail.js';
import { verifyLog } from '../../src/audit/verify.js';
import { LogWriter } from '../../src/audit/writer.js';
import { Chronicle } from '../../src/gate/chronicle.js';
import { COUNTERS } from '../../src/gate/counters.js';
import { formatVerifier, parseNote, signerOf } from '../../src/note/note.js';
import { OUTCOMES } from '../../src/policy/outcome.js';
import { CHANNELS, SOURCES, Valve, World } from './world.js';

const KEYS = generateKeyPairSync('ed25519');
const SIGNER = signerOf('relay', KEYS.privateKey);
const BUILT = fileURLToPath(new URL('../../dist/audit/scribe.js', import.meta.url));
/** Of the gate's own timer, ms. */
const TICK = 250;
const MINUTE = 60_000;
const LATER = Date.now() + 1e9;

/** The thread's work, done at once. */
class Desk implements Scribe {
  readonly leaves = new Uint8Array(2 ** 18);
  readonly checkpoint = undefined;
  readonly unpublished = undefined;
  full = false;
  readonly #writer: LogWriter;
  #failure: string | undefined;

  constructor(writer: LogWriter) {
    this.#writer = writer;
  }

  append(length: number): void {
    this.#failure = this.full ? 'ENOSPC' : undefined;
    if (!this.full) this.#writer.append(this.leaves.slice(0, length), false);
  }

  probe(): void {
    this.append(0);
  }

  await(): Done {
    return { size: this.#writer.size, failure: this.#failure };
  }

  close(): void {
    this.#writer.publish(true);
    this.#writer.close();
  }
}

function startOf({ ledger }: World): Start {
  const numbers = (from: readonly Float64Array[]) => from.map((each) => [...each]);
  return {
    kind: 'start',
    boot: '0011223344556677',
    relay: 'relay',
    key: formatVerifier(SIGNER),
    sources: SOURCES,
    channels: CHANNELS,
    journals: ledger.names,
    counters: COUNTERS,
    outcomes: OUTCOMES,
    counts: numbers(ledger.counters),
    sums: numbers(ledger.outcomes),
    sequences: ledger.sequences(),
  };
}

function leavesIn(directory: string) {
  const log = new LogDirectory(directory);
  const { size } = parseCheckpoint(parseNote(log.checkpoint()).text);
  return [...log.leaves(size)].map(({ bytes }) => decodeLeaf(bytes));
}

await t.test('of a gate to which nothing comes, for ten minutes', (t) => {
  const world = new World(t.testdir());
  const { directory } = world.settings.audit;
  const desk = new Desk(new LogWriter(directory, 'relay', [SIGNER], inspectLog(directory).end));
  const audit = new AuditLog(desk, 0, undefined, startOf(world));
  const { denials } = world.intake;
  const chronicle = new Chronicle(audit, world.ledger, denials, 0, LATER);
  const tick = (now: number): void => {
    chronicle.tick(now, LATER + now);
    try {
      audit.flush(LATER + now);
    } catch (error) {
      if (!desk.full) throw error;
    }
  };
  for (let now = 0; now <= 10 * MINUTE; now += TICK) tick(now);

  // Of what is denied and lost there is a leaf a second, and no more.
  const valve = new Valve();
  const line = '0,99,6,0,,0,FF:FF:FF:FF:FF:FF:FF:FE:B8:27:EB:10:01:02:00:01,1\n';
  valve.lose({ overflow: 7 });
  for (let now = 10 * MINUTE; now < 10 * MINUTE + 3000; now += TICK) {
    world.intake.take(valve.frame([line, line]), 0);
    tick(now);
  }
  // The log takes nothing for a while: what was to be noted waits, and is in it once.
  desk.full = true;
  for (let now = 10 * MINUTE + 3000; now < 12 * MINUTE; now += TICK) {
    world.intake.take(valve.frame([line]), 0);
    tick(now);
  }
  desk.full = false;
  chronicle.stop(12 * MINUTE, LATER + 12 * MINUTE);
  audit.close(LATER + 12 * MINUTE);

  const leaves = leavesIn(directory);
  const beats = leaves.filter(({ kind }) => kind === 'heartbeat').map(({ time }) => time - LATER);
  const gaps = beats.slice(0, 19).map((time, i) => time - (beats[i - 1] ?? 0));
  t.ok(
    Math.max(...gaps) <= MINUTE / 2 + TICK,
    `a sign of life each half minute: ${gaps.join(' ')}`,
  );
  t.ok(beats.length >= 20 && beats.length <= 24);
  const quiet = leaves.filter(({ kind, time }) => kind !== 'heartbeat' && time < LATER + 599_000);
  t.same(
    quiet.map(({ kind }) => kind),
    ['start'],
    'and nothing else',
  );
  const lines = leaves.flatMap((leaf) => (leaf.kind === 'denials' ? leaf.denied : []));
  t.equal(
    lines.reduce((sum, { count }) => sum + count, 0),
    world.counters(0).denied,
    'each denial once',
  );
  const losses = leaves.flatMap((leaf) => (leaf.kind === 'loss' ? [leaf.count] : []));
  t.same(losses, [7], 'each loss once');
  const busy = leaves.filter(({ kind, time }) => {
    return kind === 'denials' && time < LATER + 10 * MINUTE + 3000;
  });
  t.ok(busy.length >= 2 && busy.length <= 4, `${busy.length} leaves of denials in three seconds`);
  const { faults, findings } = verifyLog(directory, { keys: [SIGNER], allowGaps: true });
  t.same([faults, findings], [0, []]);
  world.close();
  t.end();
});

await t.test('a checkpoint follows a sign of life, without any event', async (t) => {
  if (!existsSync(BUILT)) throw new Error('dist/ is missing: npm run build');
  const { Thread } = (await import(BUILT)) as typeof import('../../src/audit/scribe.js');
  const world = new World(t.testdir());
  const { directory } = world.settings.audit;
  const pem = KEYS.privateKey.export({ type: 'pkcs8', format: 'pem' }) as string;
  const { end } = inspectLog(directory);
  const thread = new Thread({ directory, origin: 'relay', keys: [pem], end }, (error) => {
    throw error;
  });
  const audit = new AuditLog(thread, 0, undefined, startOf(world));
  const chronicle = new Chronicle(audit, world.ledger, world.intake.denials, 0, LATER);
  const signed = (): number =>
    audit.checkpoint === undefined ? 0 : parseCheckpoint(parseNote(audit.checkpoint).text).size;
  for (let minute = 0; minute < 3; minute++) {
    chronicle.tick(minute * MINUTE, LATER + minute * MINUTE);
    audit.flush(LATER + minute * MINUTE);
    while (signed() <= minute) await sleep(20);
    const file = readFileSync(join(directory, 'checkpoint'), 'utf8');
    t.equal(file, audit.checkpoint, `minute ${minute}: signed, and there for everybody`);
  }
  audit.close(LATER + 3 * MINUTE);
  t.same(
    leavesIn(directory).map(({ kind }) => kind),
    ['start', 'heartbeat', 'heartbeat'],
  );
  world.close();
});
