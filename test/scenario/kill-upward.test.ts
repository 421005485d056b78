/** kill -9, SIGSTOP and SIGCONT of gate, dial and upper at random moments, under load. */
import t from 'tap';
import { conclude, Memory, rage, readKills, readSeed, setStage } from '../truth/matrix.js';

const KILLS = readKills(40, 0.3);
const SEED = readSeed(5);
const RATE = 1500;

await t.test(`${KILLS} kills of gate, dial and upper`, async (t) => {
  const stage = await setStage(t, SEED, RATE);
  const memory = new Memory(t, stage.world);
  await rage(stage, KILLS, ({ faults, chance }) => {
    const role = chance.pick(['gate', 'gate', 'dial', 'upper', 'upper'] as const);
    if (chance.once(4)) faults.stop(role, chance.between(50, 1500));
    else faults.kill(role);
    if (chance.once(5)) faults.kill(chance.pick(['gate', 'dial', 'upper']));
  });
  const { sources } = await conclude(t, stage, SEED, memory);
  for (const { name, gap } of sources) t.equal(gap, 0, `${name}: every line is counted`);
});
