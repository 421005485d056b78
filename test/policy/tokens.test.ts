import classes from 'node-vscp-class';
import types from 'node-vscp-type';
import t from 'tap';
import {
  className,
  classTokens,
  familyNames,
  familyOf,
  isTypeOf,
  typeName,
  typeNames,
  typeTokens,
} from '../../src/policy/tokens.js';

const MEASUREMENTS = [
  10, 11, 12, 13, 14, 60, 61, 62, 63, 64, 65, 66, 67, 68, 69, 70, 71, 72, 73, 74,
];

await t.test('a family names every class under which its events travel', (t) => {
  t.same(familyOf('@SECURITY'), [2, 514, 1034]);
  t.same(familyOf('@PROTOCOL'), [0, 512, 1024]);
  t.same(familyOf('@ALARM'), [1, 513]);
  t.same(familyOf('@CONTROL'), [30, 542, 1025]);
  t.same(familyOf('@INFORMATION'), [20, 532, 1026]);
  t.same(familyOf('@CONFIGURATION'), [120, 632], 'the mirror that the package does not list');
  t.same(familyOf('@WEATHER_FORECAST'), [95, 607]);
  t.same(familyOf('@HLO'), [1028]);
  const mirrors = MEASUREMENTS.map((n) => n + 512);
  t.same(familyOf('@MEASUREMENT'), [...MEASUREMENTS, ...mirrors, 1040, 1060]);
  t.end();
});

await t.test('what is no family has no classes', (t) => {
  for (const name of [
    '@',
    'SECURITY',
    '@security',
    '@LEVEL1_SECURITY',
    '@MEASUREMENTX1',
    '@MEASUREZONE',
    '@__proto__',
  ]) {
    t.equal(familyOf(name), undefined, name);
  }
  t.end();
});

await t.test('every family has classes and every class has a family', (t) => {
  const covered = new Set(familyNames.flatMap((name) => familyOf(name)));
  for (const name of familyNames) t.ok(familyOf(name)!.length > 0, name);
  for (const [token, value] of Object.entries(classes)) {
    t.ok(covered.has(value as number), token);
  }
  t.end();
});

await t.test('every token of node-vscp-class resolves, as it is and with a dot', (t) => {
  t.ok(Object.keys(classes).length >= 102);
  for (const [token, value] of Object.entries(classes)) {
    t.equal(classTokens.get(token), value, token);
    const dotted = token.replace(/^VSCP_CLASS(\d)_/, 'CLASS$1.').replace('.LEVEL1_', '.LEVEL1.');
    t.equal(classTokens.get(dotted), value, dotted);
    t.equal(className(value as number), dotted);
  }
  t.equal(classTokens.get('CLASS1.MEASUREMENT'), 10);
  t.equal(classTokens.get('CLASS2.LEVEL1.SECURITY'), 514);
  t.equal(classTokens.get('__proto__'), undefined);
  t.end();
});

await t.test('every token of node-vscp-type resolves and belongs to a class', (t) => {
  const numbers = [...new Set(classTokens.values())];
  t.ok(Object.keys(types).length > 500);
  for (const [token, value] of Object.entries(types)) {
    t.equal(typeTokens.get(token), value, token);
    t.ok(
      numbers.some((vscpClass) => isTypeOf(token, vscpClass)),
      `${token} has a class`,
    );
  }
  t.end();
});

await t.test('TEMPERATURE is 6 in each class that measures with the types of class 10', (t) => {
  for (const n of [10, 60, 65, 70, 85, 522, 572, 577, 582, 597, 1040, 1060]) {
    t.equal(typeNames(n).get('TEMPERATURE'), 6, String(n));
    t.ok(isTypeOf('VSCP_TYPE_MEASUREMENT_TEMPERATURE', n), String(n));
    t.equal(typeName(n, 6), 'TEMPERATURE');
  }
  for (const n of [0, 1, 2, 11, 61, 66, 71, 86, 514, 523, 1024, 1034, 65535]) {
    t.equal(typeNames(n).get('TEMPERATURE'), undefined, String(n));
    t.notOk(isTypeOf('VSCP_TYPE_MEASUREMENT_TEMPERATURE', n), String(n));
  }
  for (const n of [11, 61, 66, 71, 86]) {
    t.ok(isTypeOf('VSCP_TYPE_MEASUREMENTX1_GENERAL', n), String(n));
  }
  t.end();
});

await t.test('a type token means a number within its class only', (t) => {
  t.equal(typeNames(2).get('MOTION'), 1);
  t.equal(typeNames(514).get('MOTION'), 1);
  t.equal(typeNames(1034).get('MOTION'), undefined);
  t.equal(typeNames(1034).get('SETKEY'), 1);
  t.equal(typeNames(110).get('RC5'), 1, 'the types of CLASS1.IR are called REMOTE');
  t.equal(typeNames(622).get('LIRC'), 32);
  t.equal(typeNames(65535).get('SHUTTING_DOWN'), 6);
  t.equal(typeNames(90).get('FORECAST_GENERAL'), undefined);
  t.end();
});

await t.test('a class or a type without a name is shown as its number', (t) => {
  t.equal(className(3), '3');
  t.equal(className(632), '632');
  t.equal(typeName(3, 7), '7');
  t.equal(typeName(10, 255), '255');
  t.equal(typeName(2, 1), 'MOTION');
  t.same(typeNames(3), new Map());
  t.notOk(isTypeOf('VSCP_TYPE_SECURITY_MOTION', 3));
  t.end();
});
