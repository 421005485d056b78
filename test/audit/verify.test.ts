import { mkdirSync, readFileSync, rmSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { LogError } from '../../src/audit/directory.js';
import { encodePlain } from '../../src/audit/encode.js';
import type { Finding } from '../../src/audit/findings.js';
import { verifyLog, type VerifyOptions } from '../../src/audit/verify.js';
import { parseWitnesses, WitnessError } from '../../src/audit/witness.js';
import { RELAY } from '../../src/journal/format.js';
import { formatVerifier, type Signer, signNote } from '../../src/note/note.js';
import { readSigners } from '../../src/signing/signers.js';
import {
  checkpointOf,
  leafHash,
  longStory,
  makeSigner,
  Story,
  treeHash,
  writeLog,
} from './build.js';

const signer = makeSigner();
const KEYS = { keys: [signer] };

function verify(t: Test, story: Story, options: Partial<VerifyOptions> = {}) {
  const directory = t.testdir();
  story.write(directory);
  return verifyLog(directory, { ...KEYS, ...options });
}

await t.test('a log as a gate writes it has no fault, and is told', (t) => {
  const story = longStory(signer);
  const verdict = verify(t, story);
  t.same(verdict.findings, []);
  t.match(verdict, {
    origin: 'relay.example',
    size: story.leaves.length,
    signed: [`relay.example+${signer.id}`],
    boots: 2,
    gaps: [],
    down: [{ ended: false }],
    policies: [{ files: [{ revision: 1 }] }, { files: [{ revision: 2 }] }],
    lost: [{ names: ['north', 'overflow'], count: 8 }],
    unsigned: 0,
    faults: 0,
  });
  t.same(
    verdict.forwarded.map(({ names, count }) => `${names.join(' ')} ${count}`),
    ['public p/a 16', 'public p/b 4', 'archive p/a 4', "public the relay's own 4", 'public p/c 1'],
    'without what was taken back',
  );
  t.end();
});

await t.test('sizes around those of tiles, and leaves that nobody has signed', (t) => {
  const { leaves } = longStory(signer, 60);
  for (const size of [0, 1, 253, 256, 257, leaves.length]) {
    const directory = t.testdir();
    writeLog(directory, leaves.slice(0, size), [signer], leaves.slice(size, size + 3));
    const verdict = verifyLog(directory, KEYS);
    t.same(verdict.findings, [], String(size));
    t.equal(verdict.unsigned, Math.min(3, leaves.length - size));
  }
  t.end();
});

await t.test('a log that has grown since its checkpoint was made is read all the same', (t) => {
  const { leaves } = longStory(signer, 60);
  const directory = t.testdir();
  for (const [from, to] of [
    [200, 256],
    [300, 310],
  ] as const) {
    writeLog(directory, leaves.slice(0, to), [signer]);
    writeFileSync(join(directory, 'checkpoint'), checkpointOf(leaves.slice(0, from), [signer]));
    t.same(verifyLog(directory, KEYS).findings, [], `${from} of ${to}`);
    rmSync(directory, { recursive: true });
    mkdirSync(directory);
  }
  t.end();
});

/** A story up to where something happens. */
const begun = (): Story => new Story(signer).start().policies();

type Case = readonly [
  name: string,
  what: Finding['what'],
  message: RegExp,
  story: () => Story,
  options?: Partial<VerifyOptions>,
];

const other = makeSigner('relay.example');
const rotate = (story: Story, endorsement?: string): Story =>
  story.plain({
    kind: 'key',
    before: formatVerifier(signer),
    key: formatVerifier(other),
    ...(endorsement !== undefined && { endorsement }),
  });
const signers = [makeSigner('alice'), makeSigner('bob'), makeSigner('carol')];
const both = signers.slice(0, 2);
const keys = both.map(formatVerifier);
const approval = readSigners({ keys, threshold: 2, revoked: [] });
const required = { signers: { keys, threshold: 2 } };
const named = both.map(({ name, id }) => ({ name, id }));

/** What is signed of revision N of policy p. */
const manifestOf = (revision: number, last = 'never'): string => {
  const tables = `tables ${'0'.repeat(64)}`;
  return `tidegate-manifest/v1\n${tables}\npolicy p ${revision} ${last} ${'a'.repeat(64)}\n`;
};
const MANIFEST = manifestOf(1);
/** A leaf of policies that these people have signed. */
const by = (people: readonly Signer[], revision = 1) => ({
  manifest: signNote(manifestOf(revision), people),
  signers: people.map(({ name, id }) => ({ name, id })),
});
/** In force until the end of that day. */
const until = (last: string) => {
  const over = new Date(Date.parse(last) + 86_400_000).toISOString();
  return { files: [{ id: 'p', revision: 1, expires: over, sha256: 'a'.repeat(64) }] };
};
const alice2 = makeSigner('alice');

const CASES: readonly Case[] = [
  [
    'a record in no leaf',
    'sequence',
    /public: records 2 to 2 are in no leaf/,
    () => {
      const story = begun().forward([{}]);
      story.sequences[2]!++;
      return story.forward([{}]);
    },
  ],
  [
    'a record twice',
    'sequence',
    /public: record 1 is there again/,
    () => {
      const story = begun().forward([{}]);
      story.sequences[2]!--;
      return story.forward([{}]);
    },
  ],
  [
    'a journal ahead at a start',
    'sequence',
    /public stands at 5, and the log names/,
    () => {
      const story = begun().forward([{}]).stop();
      story.sequences[2] = 5;
      return story.start().policies();
    },
  ],
  [
    'a journal behind at a start, unsaid',
    'sequence',
    /no leaf says that those of public are void/,
    () => {
      const story = begun().forward([{}, {}]);
      story.sequences[2] = 1;
      return story.start().policies().forward([{}]);
    },
  ],
  [
    'void of what never was',
    'sequence',
    /public: 9 is said to be void/,
    () => begun().forward([{}]).voids(2, 9),
  ],
  [
    'a heartbeat with other sequences',
    'sequence',
    /archive is said to stand at 7/,
    () => {
      const story = begun().forward([{}]);
      story.sequences[3] = 7;
      return story.heartbeat();
    },
  ],
  [
    'a batch number again',
    'batch',
    /batch 1 comes after batch 1/,
    () => {
      const story = begun().forward([{}]);
      story.batch = 0;
      return story.forward([{}]);
    },
  ],
  [
    'a part that is missing',
    'batch',
    /part 1 of batch 1 does not follow/,
    () => {
      const story = begun();
      return story.forward(large(), (parts) => parts.slice(1), story.leaves.length - 1);
    },
  ],
  [
    'a batch without its end, unsaid',
    'sequence',
    /batch 1 is not whole in the log/,
    () =>
      begun()
        .forward(large(), (parts) => parts.slice(0, 1))
        .start()
        .policies()
        .forward([{}]),
  ],
  [
    'a source that has no name',
    'names',
    /a source that its names do not have/,
    () => begun().denials([{ source: 2, rule: undefined, count: 0 }]),
  ],
  [
    'a rule that has no name',
    'names',
    /a rule that its names do not have/,
    () => begun().denials([{ source: 0, rule: 3, count: 0 }]),
  ],
  [
    'a rule before any policies',
    'names',
    /a rule that its names/,
    () => new Story(signer).start().denials([{ source: 0, rule: 0, count: 0 }]),
  ],
  [
    'policies of before',
    'names',
    /refers to the policies at 1, and the newest are at 2/,
    () => {
      const story = begun().policies();
      story.policiesAt = 1;
      return story.forward([{}]);
    },
  ],
  [
    'another start',
    'names',
    /refers to the start at 0, and the newest is at 3/,
    () => {
      const story = begun().stop().start().policies();
      story.startAt = 0;
      return story.heartbeat();
    },
  ],
  [
    'vectors that are too short',
    'names',
    /counters of sources/,
    () => begun().plain({ kind: 'stop', counts: [[1]], sums: [] }),
  ],
  [
    'a sum that does not hold',
    'counters',
    /'north': in is 1, but permitted \+ denied/,
    () => begun().count(0, 'in', 1).heartbeat(),
  ],
  [
    'a sum of a channel that does not hold',
    'counters',
    /channel 'public': permitted is 1/,
    () =>
      begun()
        .sum(0, 'permitted', 1)
        .forward([{ journal: 'archive' }]),
  ],
  [
    'a counter that goes back',
    'counters',
    /'north': denied went down from 5 to 4/,
    () => begun().deny(0, 0, 5).heartbeat().count(0, 'in', -1).count(0, 'denied', -1).heartbeat(),
  ],
  [
    'permitted that goes back, and not to lost',
    'counters',
    /permitted went down/,
    () => begun().forward([{}, {}]).count(0, 'permitted', -1).count(0, 'denied', 1).heartbeat(),
  ],
  [
    'denials that are not counted',
    'denials',
    /leaves name 3 denied since the start, and 0/,
    () =>
      begun()
        .denials([{ source: 1, rule: undefined, count: 3 }])
        .heartbeat(),
  ],
  [
    'a loss that is not counted',
    'loss',
    /leaves name 3 lost\.overflow/,
    () => begun().plain({ kind: 'loss', source: 0, reason: 'overflow', count: 3 }).heartbeat(),
  ],
  [
    'a loss of no known reason',
    'loss',
    /no counter has the reason/,
    () => begun().plain({ kind: 'loss', source: 0, reason: 'moths', count: 3 }),
  ],
  [
    'more emitted than there are records',
    'emitted',
    /'archive': emitted counts 2 more than/,
    () => begun().sum(1, 'permitted', 2).sum(1, 'emitted', 2).forward([{}]),
  ],
  [
    'time that goes back',
    'time',
    /1000 ms before that of the leaf before/,
    () => {
      const story = begun();
      story.time -= 1000;
      return story.deny(0, 0, 1);
    },
  ],
  [
    'silence',
    'gap',
    /for 120 s before it there is no leaf/,
    () => {
      const story = begun();
      story.time += 60_000;
      return story.heartbeat();
    },
  ],
  [
    'no start',
    'boot',
    /it comes before any start/,
    () => {
      const story = begun();
      story.leaves.shift();
      story.leaves.length = 0;
      story.encoder = begun().encoder;
      return story.plain({ kind: 'clock', by: 0 });
    },
  ],
  [
    'a start that forgets the one before',
    'boot',
    /does not name the start before it, at 0/,
    () =>
      begun()
        .stop()
        .start({ previous: { boot: 'f'.repeat(16), start: 0, ended: true } }),
  ],
  [
    'a kill that is called an end',
    'boot',
    /gate before had ended: it had not/,
    () => {
      const story = begun();
      story.ended = true;
      return story.start();
    },
  ],
  [
    'a start before the log',
    'boot',
    /the log begins, and names a start before it/,
    () => new Story(signer).start({ previous: { boot: 'f'.repeat(16), start: 0, ended: true } }),
  ],
  [
    'the same boot twice',
    'boot',
    /two starts have the same boot/,
    () =>
      begun()
        .stop()
        .start({ boot: '0'.repeat(15) + '1' }),
  ],
  ['a leaf after the stop', 'boot', /it comes after a stop/, () => begun().stop().heartbeat()],
  [
    'another key at a start',
    'key',
    /the start names another key/,
    () =>
      begun()
        .stop()
        .start({ key: formatVerifier(other) })
        .policies(),
  ],
  [
    'a new key that nobody vouches for',
    'key',
    /does not vouch for it: no note/,
    () => rotate(begun()),
  ],
  [
    'a new key that vouches for itself',
    'key',
    /signed by none of the keys/,
    () => rotate(begun(), signNote(`${formatVerifier(other)}\n`, [other])),
  ],
  [
    'a note for another key',
    'key',
    /its note names another key/,
    () => rotate(begun(), signNote(`${formatVerifier(signers[0]!)}\n`, [signer])),
  ],
  [
    'an older revision, with signers',
    'policy',
    /policy p went back from revision 3 to 2/,
    () => new Story(signer).start(required).policies(3, by(both, 3)).policies(2, by(both, 2)),
  ],
  [
    'an older revision, where the auditor demands signers',
    'policy',
    /policy p went back from revision 5 to 3/,
    () => new Story(signer).start().policies(5, by(both, 5)).policies(3, by(both, 3)),
    { approval },
  ],
  [
    'too few signers',
    'policy',
    /signed by 1 of the 2 that are needed \(alice\+/,
    () => new Story(signer).start(required).policies(1, by([signers[0]!, signers[2]!])),
  ],
  [
    'signers that are only named',
    'policy',
    /holds no manifest that anybody signed/,
    () => new Story(signer).start(required).policies(1, { signers: named }),
  ],
  [
    'a signer that is named, and has not signed',
    'policy',
    /names carol\+[0-9a-f]{8}, who has not signed/,
    () =>
      new Story(signer)
        .start(required)
        .policies(1, { ...by(both), signers: [...named, by([signers[2]!]).signers[0]] }),
  ],
  [
    'two keys of one name',
    'policy',
    /signed by 1 of the 2 that are needed/,
    () => new Story(signer).start().policies(1, by([signers[0]!, alice2])),
    { approval: { valid: [signers[0]!, alice2], revoked: [], threshold: 2 } },
  ],
  [
    'a text that is no manifest',
    'policy',
    /first line is not/,
    () => {
      const text = `we reject:\npolicy p 1 never ${'a'.repeat(64)}\n`;
      return new Story(signer).start().policies(1, { manifest: signNote(text, both) });
    },
    { approval },
  ],
  [
    'policies that were over',
    'policy',
    /it puts policies in force whose last day was over: 2020-01-01/,
    () => new Story(signer).start().policies(1, until('2020-01-01')),
  ],
  [
    'policies that are over when events go out',
    'policy',
    /it forwards events by policies whose last day was over: 2026-06-01/,
    () => {
      const story = new Story(signer).start().policies(1, until('2026-06-01')).forward([{}]);
      while (story.time < Date.UTC(2026, 5, 2, 0, 2)) story.heartbeat();
      return story.forward([{}]);
    },
  ],
  [
    'another last day than the one that was signed',
    'policy',
    /of other policies: policy 'p' is not what was signed: its last day was 2026-12-31/,
    () =>
      new Story(signer).start().policies(1, {
        ...until('2027-12-31'),
        manifest: signNote(manifestOf(1, '2026-12-31'), both),
      }),
    { approval },
  ],
  [
    'a last day that is none',
    'policy',
    /the last day of a policy cannot be read/,
    () =>
      new Story(signer)
        .start()
        .policies(1, { files: [{ ...until('2027-12-31').files[0], expires: 'soon' }] })
        .forward([{}]),
  ],
  [
    'events by policies of before the start',
    'names',
    /by policies that no leaf since the start puts in force/,
    () => begun().forward([{}]).stop().start(required).forward([{}]),
  ],
  [
    "an event that is called the relay's own",
    'names',
    /that an event is the relay's own, and it is no beacon/,
    () => new Story(signer).start().forward([{ ...OWN, line: TOKEN }]),
  ],
  [
    "a source's event that is called the relay's own",
    'names',
    /and it is no beacon/,
    () => begun().forward([{ rule: RELAY, source: 0 }]),
  ],
  [
    'denials that no leaf names, at a stop',
    'denials',
    /leaves name 0 denied since the start, and 5000 are counted/,
    () => begun().count(0, 'in', 5000).count(0, 'denied', 5000).heartbeat().stop(),
  ],
  [
    'losses that no leaf names, at a stop',
    'loss',
    /leaves name 3 lost\.overflow since the start, and 703 are counted/,
    () => begun().lose(1, 'overflow', 3).count(1, 'in', 700).count(1, 'lost.overflow', 700).stop(),
  ],
  ['a log that begins late', 'boot', /begins behind public 6364, archive 2: what went/, late],
  ['no manifest', 'policy', /holds no manifest/, () => begun(), { approval }],
  [
    'one signature on the manifest',
    'policy',
    /signed by 1 of the 2 that are needed/,
    () => new Story(signer).start().policies(1, by([signers[0]!, signers[2]!])),
    { approval },
  ],
  [
    'a manifest of other policies',
    'policy',
    /of other policies: policy 'p' is not what was signed: revision 2 instead of 1/,
    () => new Story(signer).start().policies(2, by(both)),
    { approval },
  ],
  [
    'a manifest that was changed',
    'policy',
    /the signature of alice is wrong/,
    () =>
      new Story(signer).start().policies(1, {
        manifest: signNote(MANIFEST, signers.slice(0, 2)).replace('never', '2030-01-01'),
      }),
    { approval },
  ],
];

const DATED = signNote(manifestOf(1, '2026-12-31'), both);
const OWN = { rule: RELAY, source: RELAY };
const TOKEN = '96,20,3,0,,1,FF:FF:FF:FF:FF:FF:FF:FE:B8:27:EB:10:01:02:00:01,1,2,3';

/** Its journals hold records already. */
function late(): Story {
  const story = new Story(signer);
  story.sequences.set([6364, 2], 2);
  return story.start().policies();
}

function large() {
  return Array.from({ length: 1100 }, (_, i) => ({
    line: `96,10,${i},0,,1,FF:FF:FF:FF:FF:FF:FF:FE:B8:27:EB:10:01:02:00:01,1`,
  }));
}

for (const [name, what, message, make, options] of CASES) {
  await t.test(`found: ${name}`, (t) => {
    const { findings, faults } = verify(t, make(), options);
    t.ok(faults > 0);
    t.ok(
      findings.some((each) => each.what === what && message.test(each.message)),
      JSON.stringify(findings),
    );
    t.end();
  });
}

await t.test('no faults: what looks like one, and is explained', (t) => {
  const set = begun().deny(0, 0, 1);
  set.time -= 5000;
  const silent = begun();
  silent.time += 3_600_000;
  const behind = begun().forward([{}, {}]);
  behind.takeBack('public', 1);
  const voided = behind.leaves.pop()!;
  t.ok(voided);
  behind.start().voids(2).policies();
  const stories: Record<string, Story> = {
    'a clock that is set back': set.plain({ kind: 'clock', by: -5000 }).heartbeat(),
    'a clock that is set forward': silent.plain({ kind: 'clock', by: 3_600_000 }).heartbeat(),
    'a journal behind, said': behind.forward([{}]).heartbeat(),
    'a batch in parts': begun().forward(large()).heartbeat(),
    'a batch without its end, void': begun()
      .forward(large(), (parts) => parts.slice(0, 1))
      .start({ sequences: [0, 0, 0, 0] })
      .voids(2, 1),
    'a new key that the old one vouches for': rotate(
      begun(),
      signNote(`${formatVerifier(other)}\n`, [signer]),
    ),
    'policies that were signed': new Story(signer)
      .start(required)
      .policies(1, { ...by(both), ...until('2026-12-31'), manifest: DATED })
      .forward([{}]),
  };
  for (const [name, story] of Object.entries(stories)) {
    const directory = t.testdir();
    const rotated = name.startsWith('a new key');
    story.write(directory, [rotated ? other : signer]);
    const signed = name.startsWith('policies') ? { approval } : {};
    const { findings } = verifyLog(directory, { ...KEYS, ...signed });
    t.same(findings, [], name);
  }
  const begunLate = verify(t, late(), { beginsLate: true });
  t.same(begunLate.findings, []);
  t.same(begunLate.begins, {
    after: [
      { journal: 'public', sequence: 6364 },
      { journal: 'archive', sequence: 2 },
    ],
    permitted: 0,
  });
  const { leaves } = late();
  t.equal(verify(t, late(), { since: checkpointOf(leaves.slice(0, 1), [signer]) }).faults, 0);
  t.same(verify(t, silentStory(), { allowGaps: true }).faults, 0);
  t.equal(verify(t, silentStory(), { allowGaps: true }).gaps.length, 1);
  t.end();
});

function silentStory(): Story {
  const story = begun();
  story.time += 60_000;
  return story.heartbeat();
}

await t.test('keys: which may sign, and from when on', (t) => {
  const directory = t.testdir();
  const endorsed = (): Story => rotate(begun(), signNote(`${formatVerifier(other)}\n`, [signer]));
  const found = (keys: VerifyOptions['keys']): string[] =>
    verifyLog(directory, { keys }).findings.map(({ what }) => what);
  endorsed().write(directory, [signer]);
  t.same(found([signer]), ['signature'], 'the old key signs no more');
  endorsed().write(directory, [other]);
  t.same(found([other]), [], 'who is given the new key needs no endorsement');
  rotate(begun()).write(directory, [other]);
  t.same(found([signer, other]), [], 'both are given');
  t.ok(found([signer]).includes('signature'));
  begun().write(directory, [other]);
  t.same(found([signer]), ['signature'], 'another key of the same name');
  t.same(found([makeSigner('else')]), ['signature']);
  t.end();
});

await t.test('files that are not what was signed', (t) => {
  const story = longStory(signer, 60);
  const directory = t.testdir();
  const found = (): string[] =>
    verifyLog(directory, KEYS).findings.map(({ what, message }) => `${what}: ${message}`);
  const path = (name: string): string => join(directory, name);
  const fresh = (): void => {
    rmSync(directory, { recursive: true });
    mkdirSync(directory);
    story.write(directory);
  };
  const part = `.p/${story.leaves.length % 256}`;
  fresh();
  const flip = (name: string, at: number): void => {
    const bytes = readFileSync(path(name));
    bytes[at]! ^= 1;
    writeFileSync(path(name), bytes);
  };
  flip('tile/entries/000', 1000);
  t.match(found().join('\n'), /^root: the leaves are not those that the checkpoint signs$/m);
  t.match(found().join('\n'), /^tile: tile\/0\/000 is not what the leaves give$/m);
  t.match(found().join('\n'), /^leaf: the leaf does not fit its checksum$/m);
  fresh();
  flip(`tile/0/000`, 40);
  t.same(found(), ['tile: tile/0/000 is not what the leaves give']);
  fresh();
  unlinkSync(path('tile/0/000'));
  t.same(found(), ['tile: tile/0/000 is not there, or damaged']);
  fresh();
  unlinkSync(path('tile/entries/000'));
  t.match(found()[0], /^missing: tile\/entries\/000 is not there: leaves 0 to \d+ were not/);
  fresh();
  writeFileSync(path('tile/entries/000'), readFileSync(path('tile/entries/000')).subarray(0, 900));
  t.match(found()[0], /^bundle: tile\/entries\/000 does not hold the 256 leaves/);
  fresh();
  writeFileSync(path(`tile/entries/001${part}`), '');
  t.match(found()[0], /^bundle: tile\/entries\/001/);
  fresh();
  writeFileSync(path('tile/entries/000'), Buffer.alloc(256 * 65_537 + 1));
  t.match(found()[0], /^missing: tile\/entries\/000 is no file, or too large/);
  fresh();
  writeFileSync(path('checkpoint'), 'nothing');
  t.match(found(), [/^checkpoint: the note has no signature/]);
  flip('key.pub', 5);
  unlinkSync(path('checkpoint'));
  t.throws(found, LogError);
  fresh();
  const note = readFileSync(path('checkpoint'), 'utf8');
  writeFileSync(path('checkpoint'), note.replace(/\n\d+\n/, '\n9007199254740991\n'));
  t.ok(
    found().some((each) => each.startsWith('signature: ')),
    'a size beyond everything',
  );
  t.end();
});

await t.test('leaves in another order, of another place, or none', (t) => {
  const { leaves } = longStory(signer);
  const directory = t.testdir();
  const found = (all: readonly Buffer[]) => {
    writeLog(directory, all, [signer]);
    const { findings } = verifyLog(directory, KEYS);
    rmSync(directory, { recursive: true });
    mkdirSync(directory);
    return findings;
  };
  const [first, second, third, ...rest] = leaves as [Buffer, Buffer, Buffer, ...Buffer[]];
  t.match(found([first, third, second, ...rest]), [
    { what: 'index', leaf: 1, message: 'it says that it is leaf 2' },
    { what: 'index', leaf: 2 },
  ]);
  t.match(found([first, second, ...rest])[0], { what: 'index', leaf: 2 });
  t.match(found([first, second, Buffer.from('nothing at all'), ...rest])[0], {
    what: 'leaf',
    leaf: 2,
    message: 'the leaf does not fit its checksum',
  });
  t.end();
});

await t.test('tiles that are no files, or too large, leave a verdict', (t) => {
  const story = longStory(signer, 60);
  const directory = t.testdir();
  story.write(directory);
  const tile = join(directory, 'tile/0/000');
  const place: Record<string, () => void> = {
    'too large': () => writeFileSync(tile, 'x', { flag: 'a' }),
    endless: () => symlinkSync('/dev/zero', tile),
    'a link to itself': () => symlinkSync(tile, tile),
    'a directory': () => mkdirSync(tile),
  };
  for (const [name, damage] of Object.entries(place)) {
    if (name !== 'too large') rmSync(tile);
    damage();
    const { findings, faults } = verifyLog(directory, KEYS);
    t.match(findings, [{ what: 'tile', message: 'tile/0/000 is no file, or too large' }], name);
    t.equal(faults, 1);
  }
  t.end();
});

await t.test('leaves that nobody has signed count as far as they follow', (t) => {
  const { leaves } = longStory(signer, 60);
  const directory = t.testdir();
  const size = 250;
  const unsigned = (behind: readonly Uint8Array[]): number => {
    writeLog(directory, leaves.slice(0, size), [signer], behind);
    return verifyLog(directory, KEYS).unsigned;
  };
  t.equal(unsigned(leaves.slice(size, size + 2)), 2);
  t.equal(unsigned([leaves[size]!, Buffer.from(leaves[size + 1]!).fill(0, 5, 6)]), 1, 'torn');
  t.equal(unsigned([leaves[size]!, leaves[size + 2]!]), 1, 'a gap');
  const far = {
    time: 1,
    clock: 'steady',
    start: 0,
    policies: undefined,
    index: 2 ** 53 - 2,
  } as const;
  t.equal(unsigned([encodePlain(far, { kind: 'clock', by: 0 })]), 0);
  // The file of leaves is named anew when it is full.
  writeLog(directory, leaves, [signer]);
  writeFileSync(join(directory, 'checkpoint'), checkpointOf(leaves.slice(0, size), [signer]));
  t.equal(verifyLog(directory, KEYS).unsigned, leaves.length - size);
  rmSync(join(directory, 'leaves'));
  t.equal(verifyLog(directory, KEYS).unsigned, 256 - size);
  t.end();
});

await t.test('witnesses: a log that was cut or rewritten', (t) => {
  const story = longStory(signer);
  const witness = (size: number) => ({
    size,
    root: treeHash(story.leaves.slice(0, size).map(leafHash)),
  });
  const seen = [0, 1, 7, story.leaves.length].map(witness);
  t.same(verify(t, story, { witnesses: seen }).findings, []);
  const cut = longStory(signer);
  cut.leaves.pop();
  t.match(verify(t, cut, { witnesses: seen }).findings, [
    { what: 'witness', message: /the log was cut: a witness has seen \d+ leaves, and there are/ },
  ]);
  const rewritten = longStory(makeSigner());
  t.match(verify(t, rewritten, { witnesses: seen, keys: [rewritten.signer] }).findings[0], {
    what: 'witness',
    message: /the log was rewritten: its first 1 leaves/,
  });
  const base64 = Buffer.from(witness(7).root).toString('base64');
  const note = checkpointOf(story.leaves.slice(0, 7), [signer, other]);
  const text = `# seen\n7 ${base64}\n{"size":7,"root":"${base64}","time":1}\n${note}\n${note}`;
  t.same(
    parseWitnesses(text.split('\n')).map(
      ({ size, root }) => `${size} ${Buffer.from(root).toString('base64')}`,
    ),
    Array.from({ length: 4 }, () => `7 ${base64}`),
  );
  for (const bad of ['x', `7 ${base64.slice(1)}`, '{"size":7}', '-1 x', 'a\nb\nc\n']) {
    const lines = ['# comment', `7 ${base64}`, ...bad.split('\n')];
    t.throws(() => parseWitnesses(lines), /^line 3 is no size/, bad);
  }
  for (const none of ['', '\n\n', '# seen\n', note.split('\n').slice(3).join('\n')]) {
    t.throws(() => parseWitnesses(none.split('\n')), WitnessError, `none in ${none}`);
  }
  t.end();
});

await t.test(
  'since an older checkpoint: what comes after is judged, what was before must be there',
  (t) => {
    const story = longStory(signer);
    story.start().policies().forward([{}]);
    story.batch--;
    story.forward([{}]);
    const wrong = story.leaves.length;
    story.stop().start().policies();
    const after = story.leaves.length;
    story.forward([{}]).deny(0, 1, 2).heartbeat();
    const since = (size: number, from = story, by = signer): string =>
      checkpointOf(from.leaves.slice(0, size), [by]);
    t.equal(verify(t, story).faults, 1);
    const verdict = verify(t, story, { since: since(after) });
    t.same(verdict.findings, []);
    t.match(verdict, { since: after, kinds: { batch: 1, denials: 1, heartbeat: 1 } });
    t.same(verify(t, story, { since: since(after + 1) }).findings, []);
    t.equal(verify(t, story, { since: since(wrong - 1) }).faults, 1, 'in the middle of a run');
    t.match(verify(t, story, { since: since(after, longStory(makeSigner(), 12)) }).findings, [
      { what: 'witness', message: /rewritten/ },
    ]);
    t.match(verify(t, story, { since: since(after, story, other) }).findings, [
      { what: 'since', message: /signed by none of the keys/ },
    ]);
    const longer = longStory(signer, 30);
    const cut = verify(t, story, { since: since(longer.leaves.length, longer) }).findings;
    t.ok(
      cut.some(({ what, message }) => what === 'witness' && message.includes('the log was cut')),
    );
    t.match(verify(t, story, { since: 'nothing' }).findings, [{}, { what: 'batch' }]);
    t.end();
  },
);

await t.test('since an older checkpoint: floors, keys and the last day hold on', (t) => {
  const story = new Story(signer).start(required).policies(5, by(both, 5)).stop();
  story.start(required).policies(5, by(both, 5)).stop().start(required);
  const older = checkpointOf(story.leaves, [signer]);
  story.policies(3, by(both, 3)).heartbeat();
  const words = { what: 'policy', message: 'policy p went back from revision 5 to 3' };
  t.match(verify(t, story, { since: older }).findings, [words]);
  const directory = t.testdir();
  const now = { key: formatVerifier(other) };
  const rotated = rotate(begun(), signNote(`${now.key}\n`, [signer])).stop();
  rotated.start(now).policies().stop().start(now).policies();
  const after = checkpointOf(rotated.leaves, [other]);
  rotated.forward([{}]).write(directory, [other]);
  t.same(verifyLog(directory, { ...KEYS, since: after }).findings, []);
  const over = new Story(signer).start().policies(1, until('2020-01-01')).forward([{}]);
  const since = checkpointOf(over.leaves, [signer]);
  over.forward([{}]).forward([{}]);
  t.match(verify(t, over, { since }).findings, [{ what: 'policy', leaf: 3 }]);
  t.end();
});

await t.test('who signed, how a log ends, and steps of the clock are told', (t) => {
  const story = new Story(signer).start(required).policies(1, by(both));
  const names = by(both).signers.map(({ name, id }) => `${name}+${id}`);
  t.match(verify(t, story).policies, [{ signers: names, verified: names, approved: [] }]);
  const asked = verify(t, story, { approval }).policies;
  t.match(asked, [{ verified: names, approved: names }]);
  const claimed = new Story(signer).start().policies(1, { signers: named });
  t.match(verify(t, claimed).policies, [{ signers: names, verified: [], approved: [] }]);
  const set = begun();
  for (const by of [1500, -5000, 2_592_000_000]) {
    set.time += by;
    set.plain({ kind: 'clock', by });
  }
  const told = verify(t, set);
  t.match(told, {
    findings: [],
    clock: { steps: 3, largest: 2_592_000_000, leaf: 4 },
    end: { stop: false, time: set.time },
  });
  t.match(verify(t, begun().stop()), { end: { stop: true }, clock: { steps: 0 } });
  t.end();
});
