import fc from 'fast-check';
import t from 'tap';
import { buildLogin, type LoginOptions } from '../../src/link/login.js';
import { budgetOf, loginLines } from '../../src/nft/script.js';
import { runs } from '../arbitrary/runs.js';

const text = fc
  .string({ minLength: 1, maxLength: 60, unit: 'binary' })
  .filter((one) => !/[\u0000-\u001f\u007f\ud800-\udfff]/.test(one));
const options: fc.Arbitrary<LoginOptions> = fc.record({
  user: text,
  password: text,
  filter: fc.option(text, { nil: undefined }),
  mask: fc.option(text, { nil: undefined }),
});

await t.test('the lines are those of the login script', (t) => {
  fc.assert(
    fc.property(options, (login) => {
      const script = buildLogin(login);
      const lines = loginLines(login, Buffer.byteLength(login.password));
      t.same(
        lines.map(({ command }) => command),
        script.steps.map(({ name }) => name),
      );
      let start = 0;
      lines.forEach(({ known, hidden, length, command }, i) => {
        const { end } = script.steps[i]!;
        const line = script.bytes.subarray(start, end);
        start = end;
        t.equal(line.length, length);
        t.ok(line.subarray(0, known.length).equals(known));
        t.equal(known.length + hidden + 2, length);
        t.equal(hidden, command === 'PASS' ? Buffer.byteLength(login.password) : 0);
      });
    }),
    { numRuns: runs(25) },
  );
  t.end();
});

await t.test('the budget holds the script in the largest packets, three times', (t) => {
  const lines = loginLines({ user: 'relay', filter: undefined, mask: undefined }, 6);
  const bytes = 'USER relay\r\nPASS secret\r\nRCVLOOP\r\n'.length;
  t.equal(budgetOf(lines, [{ family: 4, text: '192.0.2.1' }]), 3 * (bytes + 3 * 80));
  t.equal(budgetOf(lines, [{ family: 6, text: '2001:db8::1' }]), 3 * (bytes + 3 * 100));
  t.end();
});
