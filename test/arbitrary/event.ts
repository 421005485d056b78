/** fast-check generators of event lines in every spelling that real servers use. */
import fc from 'fast-check';

export interface Fields {
  readonly head: number;
  readonly vscpClass: number;
  readonly type: number;
  readonly obid: number;
  readonly datetime: string;
  readonly timestamp: bigint;
  readonly guid: readonly number[];
  readonly data: readonly number[];
}

const datetime = fc.oneof(
  fc.constant(''),
  fc
    .tuple(
      fc.date({
        min: new Date('0001-01-01T00:00:00Z'),
        max: new Date('9999-12-31T23:59:59Z'),
        noInvalidDate: true,
      }),
      fc.boolean(),
    )
    .map(([date, zulu]) => date.toISOString().slice(0, 19) + (zulu ? 'Z' : '')),
);

export const fields: fc.Arbitrary<Fields> = fc.record({
  head: fc.integer({ min: 0, max: 65535 }),
  vscpClass: fc.oneof(
    fc.constantFrom(0, 2, 10, 20, 512, 514, 1024, 1040, 1060, 65535),
    fc.nat(65535),
  ),
  type: fc.oneof(fc.nat(255), fc.nat(65535)),
  obid: fc.oneof(fc.nat(10), fc.integer({ min: 0, max: 0xffffffff })),
  datetime,
  timestamp: fc.oneof(
    fc.bigInt({ min: 0n, max: 0xffffffffn }),
    fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }),
  ),
  guid: fc.array(fc.nat(255), { minLength: 16, maxLength: 16 }),
  data: fc.oneof(
    { weight: 5, arbitrary: fc.array(fc.nat(255), { maxLength: 8 }) },
    { weight: 1, arbitrary: fc.array(fc.nat(255), { maxLength: 512, size: 'max' }) },
  ),
});

/** How one server or another spells numbers. */
export interface Spelling {
  readonly hexData: boolean;
  readonly hexNumbers: boolean;
  readonly paddedGuid: boolean;
  readonly lowerCase: boolean;
}

export const spelling: fc.Arbitrary<Spelling> = fc.record({
  hexData: fc.boolean(),
  hexNumbers: fc.boolean(),
  paddedGuid: fc.boolean(),
  lowerCase: fc.boolean(),
});

export function spell(event: Fields, how: Spelling): string {
  const number = (value: number | bigint) =>
    how.hexNumbers ? `0x${value.toString(16)}` : String(value);
  const byte = (value: number) =>
    how.hexData ? `0x${value.toString(16).toUpperCase().padStart(2, '0')}` : String(value);
  const pair = (value: number) => value.toString(16).padStart(how.paddedGuid ? 2 : 1, '0');
  const guid = event.guid.map(pair).join(':');
  return [
    number(event.head),
    number(event.vscpClass),
    number(event.type),
    number(event.obid),
    event.datetime,
    number(event.timestamp),
    how.lowerCase ? guid : guid.toUpperCase(),
    ...event.data.map(byte),
  ].join(',');
}
