import t from 'tap';
import { distinct, isAddress, parseAddress, parseResolvers } from '../../src/nft/address.js';

await t.test('an address has one spelling', (t) => {
  const cases: [string, 4 | 6, string][] = [
    ['192.0.2.1', 4, '192.0.2.1'],
    ['2001:DB8:0:0:0:0:0:1', 6, '2001:db8::1'],
    ['2001:db8::0.0.0.1', 6, '2001:db8::1'],
    ['fe80::1%eth0', 6, 'fe80::1'],
    ['::ffff:192.0.2.1', 4, '192.0.2.1'],
    ['::ffff:c000:201', 4, '192.0.2.1'],
    ['::ffff:0.0.0.255', 4, '0.0.0.255'],
    ['::', 6, '::'],
  ];
  for (const [given, family, text] of cases) t.same(parseAddress(given), { family, text }, given);
  t.end();
});

await t.test('what is no address is refused, above all what would be more than one', (t) => {
  const wrong = ['', 'a', '1.2.3', '192.0.2.256', '192.0.2.01', ':::', '1:2', '::1 }', '::1]/x'];
  wrong.push('::1\n', '192.0.2.1\n', '192.0.2.1, 0.0.0.0/0', '0.0.0.0/0', '::/0', '@servers');
  for (const given of wrong)
    t.throws(() => parseAddress(given), { message: /is no address/ }, given);
  t.end();
});

await t.test('hosts are addresses or names', (t) => {
  for (const host of ['192.0.2.1', '::1', 'fe80::1%eth0']) t.ok(isAddress(host));
  for (const host of ['localhost', 'a.example', '1.2.3', '127.1']) t.notOk(isAddress(host));
  t.end();
});

await t.test('addresses are sorted and without doubles', (t) => {
  const given = ['2001:db8::2', '192.0.2.9', '2001:DB8::1', '2001:db8:0::1', '192.0.2.9'];
  t.same(
    distinct(given.map(parseAddress)).map(({ text }) => text),
    ['192.0.2.9', '2001:db8::1', '2001:db8::2'],
  );
  t.end();
});

await t.test('resolv.conf: its name servers, or this machine', (t) => {
  const texts = (file: string): string[] => parseResolvers(file).map(({ text }) => text);
  const file = `# nameserver 192.0.2.1
nameserver 192.0.2.53 # one
nameserver\tfe80::53%eth0
search example
options edns0
nameserver 192.0.2.53
`;
  t.same(texts(file), ['192.0.2.53', 'fe80::53']);
  t.same(texts('nameserver 127.0.0.53'), ['127.0.0.53']);
  t.same(texts(''), ['127.0.0.1', '::1']);
  t.end();
});
