import assert from 'node:assert/strict';
import { sign } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import t, { type Test } from 'tap';
import { type Gap, Hearing, compareIntervals, totalOf } from '../../src/audit/intervals.js';
import { pairOf } from '../../src/audit/reconcile.js';
import { parseWitnesses } from '../../src/audit/witness.js';
import {
  BEACON_CLASS,
  BEACON_TYPE,
  type Beacon,
  type BeaconSource,
  encodeBeacon,
} from '../../src/beacon/beacon.js';
import { audit } from '../../src/cli/audit.js';
import { RELAY } from '../../src/journal/format.js';
import { formatVerifier, openNote, parseNote } from '../../src/note/note.js';
import { checkpointOf, longStory, makeSigner, type Sent, Story } from '../audit/build.js';

const signer = makeSigner();
const KEY = formatVerifier(signer);
const GUID = '54:47:00:00:00:00:00:00:00:00:00:00:00:00:00:01';
const BOOT = '0123456789abcdef';
const { leaves } = longStory(signer, 20);

async function run(directory: string, ...args: string[]) {
  const out: string[] = [];
  const err: string[] = [];
  const status = await audit(
    args.map((arg) => arg.replace(/^\.\//, `${directory}/`)),
    { out: (line) => out.push(line), err: (line) => err.push(line) },
  );
  return { status, out, text: out.join('\n'), err: err.join('\n') };
}

const source = (number: number): BeaconSource => {
  return { number, in: 9, permitted: 5, denied: 4, malformed: 0, lost: 0, silence: 61 + number };
};

/** What a gate says when its log has so many leaves. */
function beacon(size: number, routine: number, more: Partial<Beacon> = {}, by = signer): Beacon {
  const { text, signatures } = parseNote(checkpointOf(leaves.slice(0, size), [by]));
  return {
    ...{ relay: by.name, boot: BOOT, time: Date.UTC(2026, 5, 1, 12, 0, size), routine, urgent: 0 },
    ...{ size, root: Buffer.from(text.split('\n')[2]!, 'base64') },
    ...{ keyId: signatures[0]!.id, signature: signatures[0]!.bytes, sources: [source(0)] },
    ...more,
  };
}

const lineOf = (data: Uint8Array): string =>
  `96,${BEACON_CLASS},${BEACON_TYPE},0,2026-06-01T12:00:00Z,0,${GUID},${data.join(',')}`;
const signed = (message: Uint8Array): Uint8Array => sign(null, message, signer.privateKey);
const linesOf = (each: Beacon): string[] => encodeBeacon(each, signed).map(lineOf);
const event = (type: number): string => `96,10,${type},0,,5,${GUID},1,2`;

function judge(t: Test) {
  const directory = t.testdir();
  return (all: readonly (Beacon | string)[], ...args: string[]) => {
    const lines = all.flatMap((each) => (typeof each === 'string' ? [each] : linesOf(each)));
    writeFileSync(join(directory, 'received'), `${lines.join('\r\n')}\r\n`);
    return run(directory, 'beacons', './received', ...args);
  };
}

await t.test('beacons are printed, and what is missing is counted', async (t) => {
  const beacons = judge(t);
  const [first, second] = [beacon(20, 1), beacon(30, 4)];
  const all = [event(1), first, event(1), `SEND ${event(2)}`, second, 'hello', second, event(1)];
  const right = await beacons(all, '--key', KEY);
  t.same([right.status, right.err], [0, '']);
  t.equal(right.out.length, 4);
  t.match(
    right.out[1],
    /^2026-06-01T12:00:30\.000Z {2}relay\.example {2}boot 0123456789abcdef {2}0 of 2 missing {2}/,
  );
  t.match(
    right.out[1],
    `silent for 1 min  30 leaves  ${Buffer.from(second.root).toString('base64')}`,
  );
  t.equal(right.out[2], '1 line no events');
  t.equal(right.out[3], 'beacons OK: 2 beacons, 0 missing of 2, 2 received, 0 faults');
  const trusting = await beacons(all);
  t.equal(trusting.status, 0);
  t.match(trusting.text, /^no signature was verified: name the public key with --key$/m);
  const cut = await beacons([first, event(1), second], '--key', KEY);
  t.equal(cut.status, 1);
  t.equal(cut.out.at(-1), 'NOT OK: 2 beacons, 1 missing of 2, 1 received, 0 faults');
  const none = await beacons([event(1), `96,${BEACON_CLASS},${BEACON_TYPE},0,,0,${GUID},1,2`]);
  t.match([none.status, none.text], [1, /^NOT OK: 0 beacons/m]);
});

await t.test('beacons in parts, of a restarted gate, of another relay', async (t) => {
  const beacons = judge(t);
  const sources = Array.from({ length: 20 }, (_, i) => source(i));
  const large = beacon(20, 1, { sources });
  const parts = linesOf(large).length;
  t.ok(parts > 1);
  const next = beacon(30, 1 + parts + 1, { boot: 'f'.repeat(16), sources });
  const other = beacon(10, 1, {}, makeSigner('other.example'));
  const all = [large, ...linesOf(other), next];
  const said = await beacons(all, '--key', KEY);
  t.equal(said.status, 0);
  t.match(
    said.out[1],
    /boot f{16}, started anew {2}0 of 1 missing {2}silent for 1 min, .*, \.\.\. /,
  );
  t.equal(said.out[2], "1 part of other relays' beacons, taken as events");
  const lines = (await beacons(all, '--key', KEY, '--json')).out;
  t.match(
    lines.map((line) => JSON.parse(line) as unknown),
    [
      { size: 20, verified: true, restarted: false, sources, routine: 1 },
      { size: 30, restarted: true, expected: 1, received: 1, missing: 0, boot: 'f'.repeat(16) },
    ],
  );
});

await t.test('every byte of a beacon is signed', async (t) => {
  const beacons = judge(t);
  const [data] = encodeBeacon(beacon(20, 7), signed) as [Uint8Array];
  for (let at = 0; at < data.length; at++) {
    const other = data.slice();
    other[at]! ^= 1;
    const said = await beacons([lineOf(other)], '--key', KEY);
    t.equal(said.status, 1, `byte ${at}`);
  }
  // A checkpoint that was seen, in a beacon that its relay has never sent.
  const lie = { ...beacon(20, 2), time: Date.UTC(2026, 5, 2) };
  const forged = encodeBeacon(lie, (message) => sign(null, message, makeSigner().privateKey));
  const said = await beacons(forged.map(lineOf), '--key', KEY);
  t.match([said.status, said.text], [1, /line 1: .* beside the log's checkpoint is not signed by/]);
});

await t.test('what is wrong is a fault, and no evidence', async (t) => {
  const beacons = judge(t);
  const [first, second] = [beacon(20, 1), beacon(30, 2)];
  const wrong = async (what: RegExp, ...all: Beacon[]) => {
    const human = await beacons(all, '--key', KEY);
    t.match([human.status, human.text], [1, what]);
    const json = await beacons(all, '--key', KEY, '--json');
    t.match([json.status, json.err], [1, what]);
    return json.out.length;
  };
  const forged = { ...second, root: first.root };
  t.equal(await wrong(/line 2: .*: the signature of relay\.example is wrong/, first, forged), 1);
  const { keyId, signature } = beacon(30, 2, {}, makeSigner());
  t.equal(
    await wrong(/signed by key [0-9a-f]{8}, which is none/, { ...second, keyId, signature }),
    0,
  );
  t.equal(await wrong(/the signature .* is wrong/, { ...second, signature }), 0);
  await wrong(/line 2: its sequence went back from 5 to 2/, beacon(20, 5), second);
  await wrong(/line 2: another beacon had its sequence/, first, beacon(30, 1));
  await wrong(/line 2: its log has 20 leaves, and had 30/, beacon(30, 1), beacon(20, 2));
  const again = beacon(40, 3);
  await wrong(
    /line 3: another start of the gate had followed its own/,
    ...[first, beacon(30, 2, { boot: 'f'.repeat(16) }), again],
  );
  // Signed as well: the key is in other hands, and the log was written anew.
  const rewritten = parseNote(checkpointOf([...leaves.slice(0, 29), leaves[0]!], [signer]));
  const root = Buffer.from(rewritten.text.split('\n')[2]!, 'base64');
  const { bytes } = rewritten.signatures[0]!;
  await wrong(
    /line 2: its log of 30 leaves had another root/,
    ...[second, beacon(30, 3, { root, signature: bytes })],
  );
});

await t.test('what they say is evidence for verify, and notes for others', async (t) => {
  const beacons = judge(t);
  const directory = t.testdir({ audit: {} });
  longStory(signer, 20).write(join(directory, 'audit'));
  const all = [beacon(20, 1), beacon(30, 2), beacon(30, 3)];
  const verify = (...args: string[]) =>
    run(directory, 'verify', './audit', '--key', KEY, '--json', ...args);
  const forms = { json: 3, checkpoints: 2 };
  for (const [form, number] of Object.entries(forms)) {
    const { status, text } = await beacons(all, '--key', KEY, `--${form}`);
    t.equal(status, 0);
    t.equal(parseWitnesses(text.split('\n')).length, number);
    writeFileSync(join(directory, 'seen'), `${text}\n`);
    const right = await verify('--witness', './seen');
    t.match([right.status, JSON.parse(right.text)], [0, { witnesses: number }]);
  }
  const { out } = await beacons(all, '--checkpoints');
  const last = `${out.join('\n').split('\n').slice(-5).join('\n')}\n`;
  t.match(openNote(last, [signer]).text, /^relay\.example\n30\n/);
  writeFileSync(join(directory, 'last'), last);
  t.match(JSON.parse((await verify('--since', './last')).text), { ok: true, since: 30 });
  const { text } = await beacons([{ ...all[0]!, root: all[1]!.root }], '--json');
  writeFileSync(join(directory, 'seen'), text);
  t.equal((await verify('--witness', './seen')).status, 1);
});

await t.test('reconcile says between which beacons events are missing', async (t) => {
  const story = new Story(signer).start().policies();
  const own = (routine: number): Sent => {
    return { rule: RELAY, source: RELAY, line: linesOf(beacon(20, routine))[0]! };
  };
  const [one, two] = [{ line: event(1) }, { line: event(2) }];
  const urgent = { journal: 'public/urgent', line: event(7) };
  story.forward([one, own(2), two, one]).forward([own(5), urgent, one, urgent]);
  const directory = t.testdir();
  story.write(join(directory, 'audit'));
  const cut = (routine: number, time: number): string =>
    linesOf(beacon(20, routine, { time: Date.UTC(2026, 5, 1, 12, time) }))[0]!;
  const reconcile = (lines: readonly string[], ...args: string[]) => {
    writeFileSync(join(directory, 'received'), lines.join('\n'));
    const where = ['--channel', 'public', '--received', './received'];
    return run(directory, 'reconcile', './audit', ...where, ...args);
  };
  const [a, b] = [cut(2, 1), cut(5, 2)];
  const all = [event(1), a, event(7), event(2), event(1), b, event(1), event(7)];
  const right = await reconcile(all);
  t.same(right.out, [
    '8 forwarded, 8 received',
    '2 beacons: between all of them what should be there',
    'reconciled: 0 missing, 0 extra',
  ]);
  // As many as there should be, and not where.
  const moved = await reconcile([event(1), a, event(7), event(2), b, event(1), event(1), event(7)]);
  t.equal(moved.status, 1);
  t.same(
    moved.out.map((line) => line.replace(/ {2,}/g, ' | ').trim()),
    [
      '8 forwarded, 8 received',
      '| by 2 beacons | missing | extra',
      '| from 2026-06-01T12:01:00.000Z to 2026-06-01T12:02:00.000Z | 1 | 0',
      '| from 2026-06-01T12:02:00.000Z to the end | 0 | 1',
      'NOT reconciled: 1 missing, 1 extra',
    ],
  );
  const late = await reconcile([event(1), a, event(2), event(1), b, event(1), event(7)], '--json');
  t.match(JSON.parse(late.text), {
    ...{ ok: false, missing: 1, extra: 0, beacons: 2, intervals: [] },
    urgent: { missing: 1, extra: 0 },
  });
  const without = await reconcile([event(1), event(1), event(1), event(2), event(7), event(7)]);
  t.match(without.text, /^NOT reconciled: 2 missing, 0 extra$/m);
  const lost = await reconcile(all.filter((line) => line !== a));
  t.match(lost.text, /^ {2}from the beginning to 2026-06-01T12:02:00\.000Z +1 +0$/m);
  // Beacons of others, of no place in this log, and again, cut nothing.
  const strange = linesOf(beacon(20, 2, { relay: 'other' })).concat(cut(4, 1), cut(999, 1), a);
  const cuts = await reconcile([event(1), a, ...strange, ...all.slice(2)], '--json');
  t.match(JSON.parse(cuts.text), { beacons: 2, missing: 0, extra: 4, intervals: [{ first: 2 }] });
});

await t.test('intervals find what was lost and what came twice, each in its place', (t) => {
  const kind = fc.integer({ min: 0, max: 3 });
  const step = fc.record({
    kind,
    fate: fc.constantFrom('comes', 'comes', 'lost', 'twice'),
    beacon: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), fc.array(kind), (steps, late) => {
      const stretches = [{ from: 0, counts: new Map<number, number>() }];
      const told: { from: number; missing: number; extra: number }[] = [];
      const relays = new Set(['r']);
      const urgent = new Map<number, number>();
      for (const each of late) urgent.set(pairOf(1, each), (urgent.get(pairOf(1, each)) ?? 0) + 1);
      steps.forEach(({ kind, beacon }, i) => {
        const pair = pairOf(beacon ? 9 : 10, kind);
        if (beacon) stretches.push({ from: i + 1, counts: new Map() });
        const { counts } = stretches.at(-1)!;
        counts.set(pair, (counts.get(pair) ?? 0) + 1);
      });
      const forwarded = { routine: stretches, urgent, channels: new Set(['c']), relays };
      const hearing = new Hearing(forwarded);
      let at = { from: 0, missing: new Array<number>(8).fill(0) };
      const close = (): void => {
        const missing = at.missing.reduce((sum, each) => sum + Math.max(0, each), 0);
        const extra = at.missing.reduce((sum, each) => sum + Math.max(0, -each), 0);
        if (missing + extra > 0) told.push({ from: at.from, missing, extra });
      };
      steps.forEach(({ kind, fate, beacon }, i) => {
        const times = { comes: 1, lost: 0, twice: 2 }[fate];
        if (beacon && times > 0) {
          close();
          at = { from: i + 1, missing: new Array<number>(8).fill(0) };
        }
        at.missing[kind + (beacon ? 4 : 0)]! += 1 - times;
        for (let n = 0; n < times; n++) {
          if (beacon) hearing.cut({ relay: 'r', routine: i + 1, time: i });
          hearing.take(pairOf(beacon ? 9 : 10, kind));
        }
        if (i < late.length) hearing.take(pairOf(1, late[i]!));
      });
      close();
      for (const each of late.slice(steps.length)) hearing.take(pairOf(1, each));
      const { gaps, urgent: lane } = compareIntervals(forwarded, hearing.heard);
      const said = gaps.map(({ first, missing, extra }: Gap) => {
        return { from: first, missing: totalOf(missing), extra: totalOf(extra) };
      });
      assert.deepEqual(said, told);
      assert.deepEqual([lane.missing.size, lane.extra.size], [0, 0]);
    }),
  );
  t.end();
});

await t.test('a command line that is wrong', async (t) => {
  const directory = t.testdir();
  const keys = ['--key', KEY, '--key', formatVerifier(makeSigner('other.example'))];
  const wrong: [RegExp, ...string[]][] = [
    [/a file of received events is missing/],
    [/--json and --checkpoints are two forms/, './x', '--json', '--checkpoints'],
    [/the keys are of more than one relay/, './x', ...keys],
    [/unexpected argument/, './x', './y'],
  ];
  for (const [message, ...args] of wrong) {
    const { status, err } = await run(directory, 'beacons', ...args);
    t.match([status, err], [2, message], args.join(' '));
  }
  const help = await run(directory, 'beacons', '--help');
  t.match([help.status, help.text], [0, 'tidegate audit beacons - ']);
  for (const line of help.text.split('\n')) t.ok(line.length <= 100, line);
  t.equal((await run(directory, 'beacons', './none')).status, 1);
});
