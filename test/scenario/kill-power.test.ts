/** Power cuts under load, simulated by shortening what was not durable, among kills. */
import t from 'tap';
import { ROLES } from '../truth/faults.js';
import { breathe, conclude, Memory, rage, readKills, readSeed, setStage } from '../truth/matrix.js';
import { PowerCuts } from '../truth/power-cut.js';

const KILLS = readKills(18, 0.15);
const SEED = readSeed(13);
const RATE = 1000;

await t.test(`${KILLS} kills, every third one a power cut`, async (t) => {
  const stage = await setStage(t, SEED, RATE);
  const memory = new Memory(t, stage.world);
  const power = new PowerCuts(stage.world, stage.chance);
  await rage(stage, KILLS, async ({ faults, chance }) => {
    if (chance.once(2)) power.copyCursors();
    if (chance.once(3)) {
      await power.cut(faults);
      await breathe(stage);
    } else faults.kill(chance.pick(ROLES));
  });
  await conclude(t, stage, SEED, memory);
});
