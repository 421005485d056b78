import t from 'tap';
import { parseNames } from '../../src/pki/names.js';

await t.test('hosts are told apart and spelled in one way only', (t) => {
  t.strictSame(parseNames(['Upper.Example', '192.0.2.7', '2001:DB8:0:0::1', 'localhost']), [
    { kind: 'dns', value: 'upper.example' },
    { kind: 'ip', value: '192.0.2.7' },
    { kind: 'ip', value: '2001:db8::1' },
    { kind: 'dns', value: 'localhost' },
  ]);
  t.strictSame(parseNames(['::ffff:192.0.2.7']), [{ kind: 'ip', value: '::ffff:c000:207' }]);
  t.end();
});

await t.test('the same host twice is one entry', (t) => {
  t.equal(parseNames(['a.example', 'A.EXAMPLE', '::1', '0:0:0:0:0:0:0:1']).length, 2);
  t.end();
});

await t.test('no host gives no entry', (t) => {
  t.strictSame(parseNames([]), []);
  t.end();
});

await t.test('what is no host is refused with the reason', (t) => {
  const cases: [string, RegExp][] = [
    ['', /host name is empty/],
    ['*.example', /is a wildcard/],
    ['zürich.example', /xn-- form/],
    ['fe80::1%eth0', /has a zone/],
    ['192.0.2.256', /looks like an IP address but is none/],
    ['192.0.2', /looks like an IP address but is none/],
    ['upper.example.', /neither a DNS name nor an IP address/],
    ['upper..example', /neither a DNS name nor an IP address/],
    ['-upper.example', /neither a DNS name nor an IP address/],
    ['upper_1.example', /neither a DNS name nor an IP address/],
    ['upper.example:8883', /neither a DNS name nor an IP address/],
    ['https://upper.example', /neither a DNS name nor an IP address/],
    ['a b', /neither a DNS name nor an IP address/],
    ['a\0.example', /neither a DNS name nor an IP address/],
    ['[::1]', /neither a DNS name nor an IP address/],
    [`${'x'.repeat(64)}.example`, /neither a DNS name nor an IP address/],
    [`${'x.'.repeat(127)}example`, /neither a DNS name nor an IP address/],
  ];
  for (const [name, message] of cases) {
    t.throws(() => parseNames(['ok.example', name]), { name: 'OptionError', message }, name);
  }
  t.end();
});

await t.test('a certificate takes a hundred names and no more', (t) => {
  const names = Array.from({ length: 101 }, (_, index) => `h${index}.example`);
  t.equal(parseNames(names.slice(1)).length, 100);
  t.throws(() => parseNames(names), { name: 'OptionError', message: /at most 100 names, not 101/ });
  t.end();
});
