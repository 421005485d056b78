/** A simulated power cut takes nothing that some journal's mark says to be durable. */
import { cpSync, mkdirSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { seededRandom } from '../../src/demo/random.js';
import { LANES, laneOf } from '../../src/journal/format.js';
import { inspectJournal, mendJournal } from '../../src/journal/recovery.js';
import { append, COUNTERS, numbered, openWriter } from '../journal/tools.js';
import { Chance, type Faults } from './faults.js';
import { CHANNELS } from './plan.js';
import { PowerCuts } from './power-cut.js';
import { World } from './world.js';

const JOURNALS = CHANNELS.flatMap((channel, i) =>
  LANES.map((lane, j) => ({ channel, lane, name: laneOf(channel, lane), at: [i, j] as const })),
);
const names = JOURNALS.map(({ name }) => name);

/** Three batches of records on all journals; of the last one, marks on the first `marked` alone. */
function fill(world: World, marked: number): void {
  const writers = JOURNALS.map(({ channel, lane, at }) => {
    const directory = world.journal(...at);
    return openWriter(directory, { channel, lane, journals: names });
  });
  for (let batch = 1; batch <= 3; batch++) {
    for (const writer of writers) append(writer, [numbered(batch), numbered(batch + 10)]);
    for (const writer of writers) writer.flush();
    const sequences = Float64Array.from(writers, ({ sequence }) => sequence);
    const those = batch < 3 ? writers : writers.slice(0, marked);
    for (const writer of those) writer.commit(batch, batch, COUNTERS, [], sequences);
  }
  for (const writer of writers) writer.close();
}

/** Mends all journals by the newest mark, as a gate that starts: what is there, and what is not. */
function mend(world: World): { sequences: number[]; missing: number[] } {
  const found = JOURNALS.map(({ at }) => inspectJournal(world.journal(...at)));
  const mark = found
    .map(({ newest }) => newest?.mark)
    .reduce((best, each) => ((each?.batch ?? -1) > (best?.batch ?? -1) ? each : best));
  const mended = found.map((each, i) =>
    mendJournal(each, mark && { mark, sequence: mark.sequences[i]! }),
  );
  return {
    sequences: mended.map(({ sequence }) => sequence),
    missing: mended.map(({ missing }) => missing),
  };
}

for (const marked of [0, 1, 3, 4]) {
  await t.test(`the last batch has its mark on ${marked} of 4 journals`, async (t) => {
    const root = t.testdir({});
    const whole = new World({ seed: 1, directory: join(root, 'whole') });
    fill(whole, marked);
    let shorter = 0;
    for (let seed = 1; seed <= 25; seed++) {
      const directory = join(root, String(seed));
      mkdirSync(directory);
      cpSync(whole.state, join(directory, 'state'), { recursive: true });
      const world = new World({ seed, directory });
      const faults = {
        killSupervisor: (meanwhile: () => void) => {
          meanwhile();
          return Promise.resolve();
        },
        note: () => undefined,
      };
      const cuts = new PowerCuts(world, new Chance(seededRandom(seed)));
      await cuts.cut(faults as unknown as Faults);
      const bytes = (each: World): number[] =>
        JOURNALS.map(({ at }) => {
          const path = each.journal(...at);
          const files = readdirSync(path).filter((name) => name.endsWith('.tgj'));
          return files.reduce((sum, name) => sum + statSync(join(path, name)).size, 0);
        });
      if (bytes(world).join() !== bytes(whole).join()) shorter++;
      const { sequences, missing } = mend(world);
      t.same(missing, [0, 0, 0, 0], `seed ${seed}: all that a mark names is there`);
      if (sequences.some((sequence) => sequence !== sequences[0])) t.fail(sequences.join());
      await world.end();
    }
    t.ok(shorter > 10, `${shorter} cuts have taken something`);
    await whole.end();
  });
}
