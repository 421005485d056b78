import t from 'tap';
import { type Config, parseConfig } from '../../src/config/config.js';
import { differences } from '../../src/config/difference.js';

const TEXT = `schema: tidegate/v1
state: ./state
seal: required
lowers:
  north: { host: 127.0.0.1, port: 1, user: a, password_file: ./north, mask: '0,0,0,-' }
  south: { host: 127.0.0.1, port: 2, user: b, password_file: ./south }
policies: [./one.yaml]
channels:
  public: { retain: { size: 1GiB, age: 7d } }
uppers:
  portal:
    channel: public
    host: upper.example
    port: 3
    user: c
    password_file: ./portal
    tls: { ca: ca.pem, cert: cert.pem, key: key.pem }
`;
const parse = (text: string, file = '/etc/tidegate.yaml'): Config => parseConfig(text, file, {});
const differ = (from: string | RegExp, to: string): string[] => {
  const other = TEXT.replace(from, to);
  t.not(other, TEXT);
  return differences(parse(TEXT), parse(other));
};

await t.test('policies, order, place and spelling are no difference', (t) => {
  t.same(differences(parse(TEXT), parse(TEXT)), []);
  t.same(differ('[./one.yaml]', '[two.yaml, three.yaml]'), []);
  t.same(differ(/^/, '# a comment\n'), []);
  t.same(differ('age: 7d', 'age: 168h'), []);
  t.same(differ('seal: required\n', ''), [], 'the default');
  t.same(differences(parse(TEXT), parse(TEXT, '/etc/./other.yaml')), []);
  const [, north, south] = /( {2}north.*\n)( {2}south.*\n)/.exec(TEXT)!;
  t.same(differ(`${north!}${south!}`, `${south!}${north!}`), [], 'by name');
  t.end();
});

await t.test('every other key is named', (t) => {
  t.same(differ('port: 1', 'port: 4'), ['lowers.north.port']);
  t.same(differ(", mask: '0,0,0,-'", ''), ['lowers.north.mask']);
  t.same(differ('age: 7d', 'age: 8d'), ['channels.public.retain.age']);
  t.same(differ('key: key.pem', 'key: other.pem'), ['uppers.portal.tls.key.path']);
  t.same(differ('seal: required', 'seal: preferred'), ['seal']);
  t.same(differ('./state', './elsewhere'), ['state']);
  const gone = differ(/ {2}south.*\n/, '');
  t.ok(gone.length > 3 && gone.every((key) => key.startsWith('lowers.south.')));
  t.same(differences(parse(TEXT), parse(TEXT, '/srv/tidegate.yaml')).includes('state'), true);
  t.end();
});
