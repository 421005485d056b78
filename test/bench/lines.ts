/** The benchmark's events and policy: lines of about 100 bytes, 200 rules, two fifths permitted. */

const CLASSES = 20;

/** Lines of class 10, types 0..39 of ten nodes; those of types below 16 are permitted. */
export function makeLines(count: number): string[] {
  return Array.from({ length: count }, (_, i) => line(i, 1_795_336_886_892_515_000n + BigInt(i)));
}

export function line(i: number, timestamp: bigint): string {
  const type = (i * 7) % 40;
  const node = (i % 10).toString(16).toUpperCase().padStart(2, '0');
  return `256,10,${type},2,,${timestamp},FF:FF:FF:FF:FF:FF:FF:FE:B8:27:EB:10:01:02:00:${node},0x8A,0x01,0x09,0x0C`;
}

/** 200 rules: permits for types 0..15 by GUID prefix, forbids and permits of other classes. */
export function makePolicy(permitAll: boolean): string {
  const rules: string[] = [];
  for (let type = 0; type < (permitAll ? 40 : 16); type++) {
    rules.push(
      `  - { name: m${type}, effect: permit, to: [public], match: { source: plant, class: 10, ` +
        `type: ${type}, guid: "FF:FF:FF:FF:FF:FF:FF:FE:B8:27:EB/88" } }`,
    );
  }
  for (let i = 0; rules.length < 200; i++) {
    const vscpClass = 100 + (i % CLASSES);
    rules.push(
      i % 2 === 0
        ? `  - { name: f${i}, effect: forbid, match: { class: ${vscpClass}, type: ${i} } }`
        : `  - { name: p${i}, effect: permit, to: [public], match: { class: ${vscpClass}, type: ${i}, priority: [${i % 8}] } }`,
    );
  }
  return `schema: tidegate-policy/v1\npolicy: { id: bench, revision: 1 }\nrules:\n${rules.join('\n')}\n`;
}

export const PERMITTED_SHARE = 16 / 40;
