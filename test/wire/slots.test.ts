import fc from 'fast-check';
import { closeSync, openSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import t from 'tap';
import { openSlots, readNewest, Slots } from '../../src/wire/slots.js';
import { mountSmallDisk } from '../journal/small-disk.js';

const ROOM = 64;
const SLOT = 20 + ROOM;

const open = (path: string, room = ROOM): Slots => new Slots(openSlots(path, room), room);

/** What a reader finds, as text; undefined: nothing. */
function find(path: string, room = ROOM): string | undefined {
  const fd = openSync(path, 'r');
  const found = readNewest(fd, room)?.payload.toString('latin1');
  closeSync(fd);
  return found;
}

/** The file after each save of these texts. */
function save(path: string, texts: readonly string[]): Buffer[] {
  const slots = open(path);
  const states = texts.map((text) => {
    slots.save(Buffer.from(text, 'latin1'));
    return readFileSync(path);
  });
  slots.close();
  return states;
}

const text = fc.string({ unit: 'binary-ascii', maxLength: ROOM });

await t.test('a write that is torn, or any byte of it changed, leaves the value before', (t) => {
  const path = join(t.testdir({}), 'slots');
  const texts = fc.uniqueArray(text, { minLength: 2, maxLength: 5 });
  fc.assert(
    fc.property(texts, (texts) => {
      writeFileSync(path, '');
      const states = save(path, texts);
      const [before, after] = [states.at(-2)!, states.at(-1)!];
      const [old, fresh] = [texts.at(-2)!, texts.at(-1)!];
      const start = (texts.length % 2) * SLOT;
      const length = 20 + fresh.length;
      for (let end = 0; end < length; end++) {
        const torn = Buffer.from(before);
        after.copy(torn, start, start, start + end);
        // What was not written may, by chance, be what stood there.
        const expected = torn.equals(after) ? fresh : old;
        writeFileSync(path, torn);
        if (find(path) !== expected) t.fail(`torn after ${end} bytes`);
        // From the other end, as a disk may do it.
        const late = Buffer.from(before);
        after.copy(late, start + end, start + end, start + length);
        writeFileSync(path, late);
        if (find(path) !== (late.equals(after) ? fresh : old)) t.fail(`its first ${end} missing`);
        for (const bit of [0, 3, 7]) {
          const flipped = Buffer.from(after);
          flipped[start + end]! ^= 1 << bit;
          writeFileSync(path, flipped);
          if (find(path) !== old) t.fail(`bit ${bit} of byte ${end} changed`);
        }
      }
      writeFileSync(path, after);
      t.equal(find(path), fresh);
    }),
    { numRuns: 25 },
  );
  t.end();
});

await t.test('what follows a torn write is written over it, never over what stands', (t) => {
  const path = join(t.testdir({}), 'slots');
  const states = save(path, ['one', 'two', 'three']);
  const torn = Buffer.from(states[1]!);
  states[2]!.copy(torn, SLOT, SLOT, SLOT + 10);
  writeFileSync(path, torn);
  const slots = open(path);
  t.equal(slots.found?.toString(), 'two');
  slots.save(Buffer.from('four'));
  slots.close();
  t.equal(find(path), 'four');
  const whole = readFileSync(path);
  whole.fill(0, SLOT);
  writeFileSync(path, whole);
  t.equal(find(path), 'two', 'the one before is still there');
  t.end();
});

await t.test('a file of any content or size is read, and taken over', (t) => {
  const path = join(t.testdir({}), 'slots');
  const [good] = save(path, ['good']);
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 3 * SLOT }),
      fc.nat(SLOT),
      fc.boolean(),
      (bytes, at, head) => {
        const hostile = Buffer.from(bytes);
        if (head && hostile.length >= 20) {
          hostile.writeUInt32BE(0x54475332);
          // A right CRC of what says that it is longer than the file, or than a slot.
          hostile.writeUInt32BE(at, 16);
          hostile.writeUInt32BE(crc32(hostile.subarray(8, 20 + at)), 4);
        }
        writeFileSync(path, hostile);
        const found = find(path);
        if (found !== undefined) {
          t.ok(head && found.length === at && 20 + at <= Math.min(SLOT, hostile.length));
        }
        const slots = open(path);
        slots.save(Buffer.from('mine'));
        slots.close();
        const number = hostile.length >= 16 && head ? hostile.readDoubleBE(8) : 0;
        if (found === undefined) t.equal(find(path), 'mine', `beside write ${number}`);
        t.ok(statSync(path).size >= 2 * SLOT);
      },
    ),
    { numRuns: 500 },
  );
  // Whole, and with a number after which none is greater, or is a number.
  for (const writes of [NaN, Infinity, 1e300, -1, 0.5]) {
    const hostile = Buffer.from(good!);
    hostile.writeDoubleBE(writes, SLOT + 8);
    hostile.writeUInt32BE(crc32(hostile.subarray(SLOT + 8, SLOT + 24)), SLOT + 4);
    writeFileSync(path, hostile);
    const slots = open(path);
    for (const text of ['one', 'two', 'three']) {
      slots.save(Buffer.from(text));
      t.equal(find(path), text, `after write ${writes}`);
    }
    slots.close();
  }
  for (let size = 0; size < 2 * SLOT; size++) {
    writeFileSync(path, good!);
    truncateSync(path, size);
    // The first write stands in the second slot.
    t.equal(find(path), size >= SLOT + 24 ? 'good' : undefined, `${size} bytes`);
  }
  t.end();
});

await t.test('what is too long is refused, and what stands stays', (t) => {
  const path = join(t.testdir({}), 'slots');
  const slots = open(path);
  slots.save(Buffer.alloc(ROOM, 'x'));
  t.throws(() => slots.save(Buffer.alloc(ROOM + 1)), RangeError);
  t.equal(find(path), 'x'.repeat(ROOM));
  slots.save(Buffer.alloc(0));
  t.equal(find(path), '');
  t.equal(statSync(path).size, 2 * SLOT);
  slots.close();
  t.end();
});

await t.test('it is written on a disk that has been filled up since it was made', (t) => {
  const disk = mountSmallDisk(t, 256);
  if (!disk) return;
  const path = join(disk.directory, 'slots');
  const room = 20_000;
  const slots = open(path, room);
  disk.fill();
  t.throws(() => writeFileSync(join(disk.directory, 'other'), 'x'.repeat(5000)), {
    code: 'ENOSPC',
  });
  for (let i = 0; i < 10; i++) {
    slots.save(Buffer.alloc(room - i, `${i}`));
    t.equal(find(path, room), `${i}`.repeat(room - i));
  }
  slots.close();
  const again = open(path, room);
  again.save(Buffer.from('again'));
  again.close();
  t.equal(find(path, room), 'again');
  t.throws(() => openSlots(join(disk.directory, 'new'), room), { code: 'ENOSPC' });
  t.end();
});
