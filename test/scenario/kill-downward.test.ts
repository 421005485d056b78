/** kill -9, SIGSTOP and SIGCONT of lower, valve and gate, several at once, under load. */
import t from 'tap';
import { ROLES } from '../truth/faults.js';
import { conclude, Memory, rage, readKills, readSeed, setStage } from '../truth/matrix.js';

const KILLS = readKills(45, 0.4);
const SEED = readSeed(7);
const RATE = 1500;

await t.test(`${KILLS} kills of lower, valve and gate, with all others now and then`, async (t) => {
  const stage = await setStage(t, SEED, RATE);
  const memory = new Memory(t, stage.world);
  await rage(stage, KILLS, ({ faults, chance }) => {
    const role = chance.pick(['lower', 'valve', 'valve', 'gate'] as const);
    if (chance.once(4)) faults.stop(role, chance.between(50, 1500));
    else faults.kill(role);
    if (!chance.once(4)) return;
    for (let more = chance.between(1, 4); more > 0; more--) faults.kill(chance.pick(ROLES));
  });
  await conclude(t, stage, SEED, memory);
});
