/** How often a property is tried: so often as its test says, times TIDEGATE_RUNS (default 1). */
const FACTOR = Number(process.env['TIDEGATE_RUNS'] ?? 1);

/** @param usual tries without a wish: few, for a run of all tests; a night can have more */
export const runs = (usual: number): number => Math.ceil(usual * FACTOR);
