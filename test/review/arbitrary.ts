/** fast-check generators of policy files as plain objects. */
import fc from 'fast-check';

export type Json =
  null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

function oneOrMore(item: fc.Arbitrary<Json>): fc.Arbitrary<Json> {
  return fc.oneof(item, fc.array(item, { minLength: 1, maxLength: 3 }));
}

/** Any of these keys. */
function some(keys: Readonly<Record<string, fc.Arbitrary<Json>>>): fc.Arbitrary<Json> {
  return record({}, keys);
}

/** Those of `must`, and any of `may`. */
function record(
  must: Readonly<Record<string, fc.Arbitrary<Json>>>,
  may: Readonly<Record<string, fc.Arbitrary<Json>>> = {},
): fc.Arbitrary<Json> {
  return fc
    .record({ ...must, ...may }, { requiredKeys: Object.keys(must) })
    .map((made) => made as Json);
}

function merge(...parts: readonly fc.Arbitrary<Json>[]): fc.Arbitrary<Json> {
  return fc.tuple(...parts).map((each) => Object.assign({}, ...each) as Json);
}

const of = (...values: readonly Json[]): fc.Arbitrary<Json> => fc.constantFrom(...values);

const name = of('a', 'plant-a', 'B_7', '0', 'x'.repeat(64));
const byte = fc.oneof(fc.nat(255), of(0, 255));
const date = of('2030-12-31', '2028-02-29', '2099-01-01');
const instant = of('2026-06-01T12:00:07Z', '2026-06-01T23:59:59.999Z', '2028-02-29T00:00:00Z');
const duration = of('1ms', '500ms', '1s', '1.5m', '2 h', '1d');
const period = of('1s', '15m', '0.5h', '1d', '366d', '60000ms', '1 h');
const bound = fc.oneof(fc.double({ noNaN: true, min: -1e6, max: 1e6 }), fc.integer(), of(0));
const pattern = of(
  'FF:FF:FF:FF:FF:FF:FF:FE:B8:27:EB:10/96',
  'f:0/16',
  '80/1',
  'FF:FF:FF:FF:FF:FF:FF:FE:B8:27:EB:10:01:02:00:01',
  'fffffffffffffffeb827eb1001020001',
  '::1',
  '*:1,2',
  '-:1:2',
  '-',
  '::',
  ' ::1 ',
  '{FFFFFFFF-FFFF-FFFF-0102-03AABB440130}',
  'FFFFFFFF-FFFF-FFFF-0102-03AABB440130',
);
const guid = pattern.filter((text) => !JSON.stringify(text).includes('/'));
const range = (max: number): fc.Arbitrary<Json> =>
  fc.tuple(fc.nat(max), fc.nat(max), fc.nat(2)).map(([a, b, keys]): Json => {
    const [ge, le] = [Math.min(a, b), Math.max(a, b)];
    return keys === 0 ? { ge, le } : keys === 1 ? { ge } : { le };
  });
const bytes = fc.oneof(oneOrMore(byte), range(255));

const quad = of(
  '0,10,6,FF:FF:FF:FF:FF:FF:FF:FE:B8:27:EB:10:01:02:00:01',
  '7, 0xFFFF, 65535, ::1',
  '1,1,1,-',
);

const time = merge(
  record({ zone: of('UTC', 'Europe/Berlin', 'America/Argentina/Buenos_Aires') }),
  fc.oneof(
    record({ daily: fc.array(of('05:00-22:00', '22:00-05:00', '00:00-24:00'), { minLength: 1 }) }),
    record(
      { days: fc.array(of('mon', 'tue', 'sun'), { minLength: 1 }) },
      { daily: of(['00:30-01:00']) },
    ),
    record({ dates: fc.array(of('2026-12-24..2027-12-31', '2026-12-24'), { minLength: 1 }) }),
  ),
);

const anyHeader = some({
  source: oneOrMore(name),
  priority: oneOrMore(fc.nat(7)),
  guid: fc.oneof(
    oneOrMore(pattern),
    record({ in: fc.oneof(of('$list'), oneOrMore(pattern)) }),
    record({ value: guid, mask: of('::', '::1', '-:1') }),
  ),
  size: fc.oneof(fc.nat(512), range(512)),
  time,
});

const measured = merge(
  anyHeader,
  record({
    class: oneOrMore(
      of(
        'CLASS1.MEASUREMENT',
        'VSCP_CLASS2_MEASUREMENT_FLOAT',
        'CLASS1.MEASUREZONE',
        10,
        1040,
        522,
      ),
    ),
    type: oneOrMore(of('TEMPERATURE', 'VSCP_TYPE_MEASUREMENT_TEMPERATURE', 6, 49)),
  }),
);

const narrowed = merge(
  measured,
  record(
    {},
    {
      sensor: fc.oneof(oneOrMore(fc.nat(7)), range(7)),
      unit: oneOrMore(of('kelvin', 'celsius', 'fahrenheit')),
      value: fc
        .tuple(bound, fc.constantFrom('ge', 'gt', 'le', 'lt'), of('kelvin', 'celsius'))
        .map(([at, key, unit]): Json => ({ unit, [key]: at })),
    },
  ),
);

const loose = fc.oneof(
  of({ any: true }),
  merge(of({ class: '@SECURITY' }), anyHeader),
  merge(of({ class: ['@ALARM', 'CLASS1.LOG', 20], type: [0, 7] }), anyHeader),
  merge(of({ class: 'CLASS1.ALARM', type: ['ALARM', 1, 'VSCP_TYPE_ALARM_WARNING'] }), anyHeader),
  merge(of({ class: '@SECURITY', type: ['SETKEY', 'MOTION'] }), anyHeader),
  merge(of({ class: '@MEASUREMENT', type: 'TEMPERATURE' }), anyHeader),
  merge(of({ class: ['@SECURITY', '@ALARM'], type: ['ALARM', 'MOTION'] }), anyHeader),
  merge(of({ type: [6, 13] }), anyHeader),
  record({ raw: record({ filter: quad, mask: quad }) }, { source: name }),
  record({ class: of(65, 85, 1060), zone: bytes }, { subzone: bytes }),
);

const emitTime = fc.oneof(
  of('keep', 'zero', 'relay'),
  record({ floor: period }, { of: of('event', 'relay') }),
);
const pseudonym = record({
  pseudonym: record({ key_file: of('k', './k', 'credential:k'), prefix: of('02:52/16', '2/8') }),
});
const plain = record(
  { guid: fc.oneof(of('keep', 'zero', '::1', '-:1:2', '-'), pseudonym) },
  {
    priority: fc.oneof(of('keep', 'zero'), fc.nat(7)),
    time: emitTime,
    data: fc.oneof(of('keep', 'zero'), fc.array(byte, { minLength: 1, maxLength: 9 })),
  },
);
const changed = fc.oneof(
  merge(plain, of({ class: 'CLASS1.INFORMATION', type: 'ON' })),
  merge(plain, of({ class: 20 }, { class: 1, type: 65535 }, { type: 3 })),
);
const converted = (fn: Json): fc.Arbitrary<Json> =>
  merge(
    record(
      { unit: of('celsius', 'kelvin') },
      { round: of(0.5, 1, 1e-9), clamp: of({ ge: -40 }, { le: 60.5 }, { ge: 0, le: 0 }) },
    ),
    of(fn),
  );
const valued = record(
  { value: fc.oneof(of('keep'), converted({})) },
  {
    class: of('CLASS2.MEASUREMENT_FLOAT', 1060),
    guid: fc.oneof(of('keep', 'zero'), pseudonym),
    time: emitTime,
    sensor: fc.oneof(of('keep', 'zero'), fc.nat(7)),
    deadband: record(
      { change: of(0.1, 5), unit: of('celsius') },
      { per: oneOrMore(of('guid', 'sensor', 'source')), refresh: period },
    ),
  },
);
const windowed = record(
  {
    value: converted({ fn: 'mean' }),
    window: record({ every: period, per: of(['guid', 'sensor'], ['sensor', 'guid', 'zone']) }),
  },
  {
    class: of('CLASS2.MEASUREMENT_FLOAT'),
    guid: fc.oneof(of('keep', 'zero'), pseudonym),
    time: of('zero', 'relay', { floor: '1m' }),
  },
);
const limits = fc.oneof(
  record(
    { rate: of('20/s', '0.5/m', '100 / h', '1/d') },
    { burst: of(1, 1_000_000), size: of(0, 512) },
  ),
  record({ size: fc.nat(512) }),
);

const urgent = fc.boolean();
const rest = { reason: of('because', 'by law: §7'), expires: date };
const to = oneOrMore(name);
const permitting = fc.oneof(
  record({ match: fc.oneof(loose, narrowed), to }, { limits, urgent, emit: plain, ...rest }),
  record({ match: loose, to, emit: changed }, { limits, urgent }),
  record({ match: narrowed, to, emit: fc.oneof(valued, windowed) }, { limits, urgent }),
);
const forbidding = record({ match: fc.oneof(loose, narrowed) }, { to, ...rest });
const rule = fc.oneof(
  merge(of({ effect: 'permit' }), permitting),
  merge(of({ effect: 'forbid' }), forbidding),
);

const event = fc.oneof(
  record(
    { class: of(10, 'CLASS2.MEASUREMENT_FLOAT'), type: of('TEMPERATURE', 6), value: bound },
    { priority: fc.nat(7), guid, sensor: fc.nat(7), time: instant },
  ).chain((made) => of({ ...(made as object), unit: 'celsius' })),
  record(
    { class: of('CLASS1.ALARM', 1), type: of('ALARM', 2) },
    { data: fc.array(byte, { minLength: 1, maxLength: 8 }), guid, priority: fc.nat(7) },
  ),
);
const step = fc.oneof(
  record({ event }, { source: name, at: instant }),
  record({ event, repeat: of(1, 1000) }, { every: duration }),
  record({ line: of(`0,10,6,0,2026-06-01T12:00:00Z,0,${'00:'.repeat(15)}01,0x8F,1,7`) }),
);
const out = fc.oneof(
  record(
    { class: of('CLASS1.ALARM') },
    { type: of('ALARM', 2), priority: fc.nat(7), time: fc.oneof(of('zero'), instant) },
  ),
  record({ data: fc.oneof(of('empty'), fc.array(byte, { minLength: 1 })) }, { zone: byte }),
  record({ value: bound }, { unit: of('celsius', 'whatever'), guid: pattern, sensor: byte }),
);
const expectation = merge(
  fc.oneof(record({ emitted: fc.nat(1000) }), record({ rule: of('none', 'r0') })),
  some({
    channel: name,
    urgent: fc.boolean(),
    out: oneOrMore(out),
    absorbed: some({ window: fc.nat(9), deadband: fc.nat(9) }),
    withheld: some({ rate: fc.nat(9), size: fc.nat(9), interrupted: fc.nat(9) }),
  }),
);

const test = record(
  { feed: oneOrMore(step), expect: expectation },
  { at: instant, advance: duration },
);

function numbered(prefix: string, items: readonly Json[]): Json {
  return items.map((item, i) => ({ name: `${prefix}${i}`, ...(item as object) }));
}

/** Files that are good, nearly always. */
export const policy: fc.Arbitrary<Json> = record(
  {
    schema: of('tidegate-policy/v1'),
    policy: record({ id: name, revision: fc.nat() }, { owner: of('ops'), expires: date }),
    lists: record({ list: oneOrMore(pattern) }),
    rules: fc.array(rule, { minLength: 1, maxLength: 4 }).map((items) => numbered('r', items)),
  },
  { tests: fc.array(test, { minLength: 1, maxLength: 3 }).map((items) => numbered('t', items)) },
);
