/** Sends the relay's own events: by them, whoever is above tells silence from a cut, and counts what is missing. */
import { parseCheckpoint } from '../audit/checkpoint.js';
import { BEACON_CLASS, BEACON_TYPE, type BeaconSource, encodeBeacon } from '../beacon/beacon.js';
import { CLASS, DATA, GUID, HEAD, OBID, SIZE, TYPE, writeU16, writeU32 } from '../event/layout.js';
import { writeSeconds } from '../event/time.js';
import { type Note, parseNote } from '../note/note.js';
import { BYTES, describeCounters } from './counters.js';
import type { Lanes } from './ledger.js';
import type { Outflow } from './outflow.js';
import { sum } from '../wire/status.js';

/** Priority 3, the middle one (VSCP specification, "Level II specifics": bits 7..5 of the head). */
const NORMAL = 3 << 5;

export interface BeaconParts {
  readonly relay: string;
  readonly boot: string;
  /** By channel, ms; undefined: none is sent. */
  readonly every: readonly (number | undefined)[];
  readonly counters: readonly Float64Array[];
  readonly lanes: readonly Lanes[];
  readonly outflow: Outflow;
  /** By the key of the audit log. */
  readonly sign: (message: Uint8Array) => Uint8Array;
}

export class Beacons {
  readonly #parts: BeaconParts;
  /** By channel: when the last one was sent; and by source: when it was heard, and its bytes then. */
  readonly #sent: number[];
  readonly #heard: number[];
  readonly #bytes: number[];

  /** @param now of performance.now() */
  constructor(parts: BeaconParts, now: number) {
    this.#parts = parts;
    this.#sent = parts.every.map(() => -Infinity);
    this.#heard = parts.counters.map(() => now);
    this.#bytes = parts.counters.map((vector) => vector[BYTES]!);
  }

  /**
   * Puts beacons that are due into the batch.
   *
   * @param checkpoint the newest one, a signed note; without one there is no beacon
   */
  send(now: number, time: number, checkpoint: string | undefined): void {
    const { counters, every } = this.#parts;
    counters.forEach((vector, source) => {
      if (vector[BYTES] === this.#bytes[source]) return;
      this.#bytes[source] = vector[BYTES]!;
      this.#heard[source] = now;
    });
    if (checkpoint === undefined) return;
    every.forEach((interval, channel) => {
      if (interval === undefined || now - this.#sent[channel]! < interval) return;
      this.#sent[channel] = now;
      const note = parseNote(checkpoint);
      this.#append(channel, time, this.#encode(channel, now, time, note));
    });
  }

  #encode(channel: number, now: number, time: number, { text, signatures }: Note): Uint8Array[] {
    const { relay, boot, counters, lanes, sign } = this.#parts;
    const { routine, urgent } = lanes[channel]!;
    const { size, root } = parseCheckpoint(text);
    const [signature] = signatures;
    const sources = counters.map((vector, number): BeaconSource => {
      const { in: read, permitted, denied, malformed, lost } = describeCounters(vector);
      const silence = (now - this.#heard[number]!) / 1000;
      const sums = { malformed: sum(malformed), lost: sum(lost) };
      return { number, in: read, permitted, denied, ...sums, silence };
    });
    const beacon = {
      ...{ relay, boot, time, size, root, sources },
      routine: routine.sequence + 1,
      urgent: urgent.sequence,
      keyId: signature!.id,
      signature: signature!.bytes,
    };
    return encodeBeacon(beacon, sign);
  }

  #append(channel: number, time: number, parts: readonly Uint8Array[]): void {
    const { outflow, boot } = this.#parts;
    for (const data of parts) {
      outflow.turnTo(channel);
      const { buffer, at } = outflow;
      buffer.fill(0, at, at + DATA);
      writeU16(buffer, at + HEAD, NORMAL);
      writeU16(buffer, at + CLASS, BEACON_CLASS);
      writeU16(buffer, at + TYPE, BEACON_TYPE);
      writeU16(buffer, at + SIZE, data.length);
      writeU32(buffer, at + OBID, 0);
      // Of no device: 'TG', zeros, and this run.
      Buffer.from(`5447000000000000${boot}`, 'hex').copy(buffer, at + GUID);
      writeSeconds(buffer, at, Math.floor(time / 1000));
      buffer.set(data, at + DATA);
      outflow.appendOwn(DATA + data.length);
    }
  }
}
