import t from 'tap';
import { describeTlsFailure } from '../../src/upper/tls-failure.js';

const failure = (message: string, fields: { code?: string; reason?: string }): Error =>
  Object.assign(new Error(message), fields);

await t.test('a known code says what to mend', (t) => {
  t.equal(
    describeTlsFailure(failure('80EC:error:0A00:...\n', { code: 'ERR_SSL_WRONG_VERSION_NUMBER' })),
    'TLS failed: the server does not speak TLS (ERR_SSL_WRONG_VERSION_NUMBER)',
  );
  t.end();
});

await t.test('an unknown one says its reason, or else its message', (t) => {
  t.equal(
    describeTlsFailure(failure('long\n', { code: 'ERR_SSL_X', reason: 'no shared cipher' })),
    'TLS failed: no shared cipher (ERR_SSL_X)',
  );
  t.equal(
    describeTlsFailure(failure('read ECONNRESET', { code: 'ECONNRESET' })),
    'TLS failed: read ECONNRESET (ECONNRESET)',
  );
  t.equal(describeTlsFailure(failure('why', {})), 'TLS failed: why (error)');
  t.end();
});

await t.test('names in a certificate of the server are escaped and cut', (t) => {
  const text = describeTlsFailure(
    failure('', { code: 'ERR_TLS_CERT_ALTNAME_INVALID', reason: `DNS:\x1b[2J${'x'.repeat(999)}` }),
  );
  t.match(text, /^TLS failed: DNS:\\x1b\[2Jx+/);
  t.notMatch(text, /[^\x20-\x7e]/);
  t.ok(text.length <= 256);
  t.end();
});
