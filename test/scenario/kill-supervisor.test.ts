/** kill -9 of the supervisor, with which all its processes end, among kills of all others. */
import t from 'tap';
import { ROLES } from '../truth/faults.js';
import { breathe, conclude, Memory, rage, readKills, readSeed, setStage } from '../truth/matrix.js';

const KILLS = readKills(18, 0.15);
const SEED = readSeed(11);
const RATE = 1000;

await t.test(`${KILLS} kills, every third one of the supervisor`, async (t) => {
  const stage = await setStage(t, SEED, RATE);
  const memory = new Memory(t, stage.world);
  await rage(stage, KILLS, async ({ faults, chance }) => {
    if (chance.once(3)) {
      await faults.killSupervisor();
      await breathe(stage);
    } else if (chance.once(5)) faults.stop('supervisor', chance.between(50, 1500));
    else faults.kill(chance.pick(ROLES));
  });
  await conclude(t, stage, SEED, memory);
});
