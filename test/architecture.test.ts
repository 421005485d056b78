/**
 * Who may import what: folders, node: builtins, packages. What this table does not grant is refused.
 *
 * One way is structure: an edge that points downward is never the answer.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import ts from 'typescript';

const SRC = fileURLToPath(new URL('../src', import.meta.url));

interface Grants {
  /** Folders of src/, or single files of them. */
  readonly own: readonly string[];
  readonly node: readonly string[];
  readonly packages: readonly string[];
}

const TABLE: Readonly<Record<string, Grants>> = {
  // pure
  event: { own: [], node: [], packages: [] },
  beacon: { own: [], node: [], packages: [] },
  document: { own: [], node: [], packages: ['yaml'] },
  policy: {
    own: ['document', 'event'],
    node: [],
    packages: ['node-vscp-class', 'node-vscp-type'],
  },
  // libraries
  wire: {
    own: ['event'],
    node: ['child_process', 'crypto', 'fs', 'net', 'path', 'zlib'],
    packages: ['pino'],
  },
  link: { own: ['event'], node: [], packages: [] },
  note: { own: [], node: ['crypto', 'fs'], packages: [] },
  signing: {
    own: ['note/note', 'policy', 'wire/bundle', 'wire/hmac'],
    node: ['crypto'],
    packages: [],
  },
  journal: { own: ['event'], node: ['crypto', 'fs', 'path'], packages: [] },
  audit: {
    own: [
      'beacon/beacon',
      'event',
      'journal/balance',
      'journal/commitment',
      'journal/crc',
      'journal/faults',
      'journal/file',
      'journal/format',
      'note/note',
      'signing/difference',
      'signing/manifest',
      'signing/signers',
    ],
    node: ['crypto', 'fs', 'path', 'worker_threads'],
    packages: [],
  },
  metrics: { own: [], node: [], packages: [] },
  terminal: { own: [], node: [], packages: [] },
  sensor: { own: ['document', 'event', 'policy'], node: [], packages: [] },
  // of a browser; its words are those of the server-rendered pages too
  page: { own: ['sensor/view'], node: [], packages: ['page/uPlot.esm'] },
  review: {
    own: ['document', 'event', 'policy', 'wire/bundle', 'wire/hmac'],
    node: [],
    packages: [],
  },
  migrate: { own: ['document', 'event', 'policy'], node: [], packages: ['saxes'] },
  config: {
    own: ['document', 'event', 'note', 'policy', 'review', 'signing', 'wire/bundle'],
    node: ['crypto', 'fs', 'path'],
    packages: [],
  },
  seal: {
    own: ['config/config', 'config/identity', 'wire'],
    node: ['child_process', 'fs', 'net', 'os', 'path', 'stream', 'url'],
    packages: [],
  },
  dialing: { own: ['wire'], node: ['dns', 'net', 'timers/promises'], packages: [] },
  nft: { own: ['config/config', 'config/identity'], node: [], packages: [] },
  seals: {
    own: ['config/config', 'seal', 'wire'],
    node: ['fs', 'net', 'os', 'path', 'timers/promises'],
    packages: [],
  },
  pki: { own: [], node: ['crypto', 'fs/promises', 'net', 'path'], packages: ['node-forge'] },
  // processes, in the order of the flow
  supervisor: {
    own: ['config', 'document/document', 'link/answers', 'seal', 'signing/manifest', 'wire'],
    node: ['crypto', 'fs', 'net', 'os', 'path', 'util'],
    packages: [],
  },
  lower: { own: ['dialing', 'link/answers', 'link/login', 'wire'], node: ['net'], packages: [] },
  valve: {
    own: ['wire/descriptor', 'wire/exit', 'wire/fd', 'wire/frame'],
    node: [],
    packages: [],
  },
  gate: {
    own: ['audit', 'beacon/beacon', 'event', 'journal', 'note/note', 'policy', 'signing', 'wire'],
    node: ['crypto', 'fs', 'path'],
    packages: [],
  },
  checker: {
    own: ['review', 'wire/exit', 'wire/fd', 'wire/settings'],
    node: ['fs'],
    packages: [],
  },
  dial: { own: ['dialing', 'wire'], node: ['net'], packages: [] },
  upper: {
    own: ['event', 'journal/format', 'journal/reader', 'link/answers', 'link/send', 'wire'],
    node: ['fs', 'net', 'tls'],
    packages: [],
  },
  board: {
    own: [
      'beacon',
      'config/board',
      'document/document',
      'event',
      'link/answers',
      'metrics',
      'note/note',
      'page/words',
      'policy/units',
      'sensor',
      'wire/lock',
      'wire/log',
    ],
    node: [
      'crypto',
      'events',
      'fs',
      'http',
      'https',
      'net',
      'path',
      'stream',
      'timers/promises',
      'tls',
      'url',
      'util',
      'worker_threads',
      'zlib',
    ],
    packages: ['@photostructure/sqlite'],
  },
  // no part of the relay
  demo: {
    own: ['beacon', 'event', 'pki', 'terminal', 'wire/parent', 'wire/status'],
    node: [
      'child_process',
      'crypto',
      'fs',
      'net',
      'os',
      'path',
      'timers/promises',
      'tls',
      'url',
      'util',
    ],
    packages: [],
  },
  cli: {
    own: [
      'audit',
      'beacon',
      'config',
      'document',
      'event',
      'journal/commitment',
      'journal/finding',
      'journal/format',
      'journal/history',
      'journal/places',
      'journal/reader',
      'journal/survey',
      'journal/verify',
      'metrics',
      'migrate',
      'nft',
      'note',
      'pki',
      'policy',
      'review',
      'seal',
      'seals',
      'sensor/names',
      'signing',
      'terminal',
      'wire/bundle',
      'wire/lock',
      'wire/parent',
      'wire/printable',
      'wire/status',
    ],
    node: [
      'child_process',
      'dns/promises',
      'fs',
      'fs/promises',
      'path',
      'timers/promises',
      'url',
      'util',
    ],
    packages: [],
  },
};

/** What no code of a process may reach, through whatever it imports. */
const OUT_OF_REACH: Readonly<Record<string, readonly RegExp[]>> = {
  lower: [
    /^journal\//,
    /^gate\//,
    /^upper\//,
    /^policy\//,
    /^link\/send/,
    /^node:(tls|child_process)/,
  ],
  valve: [/^journal\//, /^link\//, /^config\//, /^node:(?!net$|zlib$)/, /^pino/],
  gate: [
    /^link\//,
    /^config\//,
    /^note\/key/,
    /^dialing\//,
    /^node:(tls|child_process|http|dgram|dns)/,
  ],
  checker: [
    /^(journal|gate|link|dialing|config|seal)\//,
    /^node:(net|tls|child_process|http|dgram|dns)/,
  ],
  dial: [/^journal\//, /^event\//, /^link\//, /^policy\//, /^node:(tls|child_process)/],
  upper: [
    /^journal\/writer/,
    /^gate\//,
    /^lower\//,
    /^dialing\//,
    /^link\/login/,
    /^config\//,
    /^node:child_process/,
  ],
  board: [
    /^(journal|gate|upper|lower|dial|dialing|seal|seals|signing|audit)\//,
    /^link\/(send|login)/,
    /^node:(dgram|dns|http2)/,
  ],
  supervisor: [/^link\/(send|login)/, /^journal\//, /^dialing\//, /^node:tls/],
};

/** node:net gives sockets: which files may have it, and what of it. */
const NET: Readonly<Record<string, readonly string[]>> = {
  'wire/descriptor': ['Socket'],
  'wire/handover': ['type Socket'],
  'seal/launch': ['type Socket'],
  'seal/process': ['type Socket'],
  'seal/receive': ['isIP'],
  'supervisor/messages': ['type Socket'],
  'dialing/lookup': ['type LookupFunction'],
  'dialing/serve': ['type Socket'],
  'lower/session': ['connect'],
  'dial/main': ['connect'],
  'upper/main': ['Socket'],
  'board/link/server': ['type AddressInfo', 'createServer', 'type Server', 'type Socket'],
  'board/http/server': ['type AddressInfo', 'type Socket'],
};

interface Import {
  readonly from: string;
  readonly to: string;
  readonly names: readonly string[];
  readonly typeOnly: boolean;
}

function filesOf(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return filesOf(path);
    return entry.name.endsWith('.ts') && !entry.name.endsWith('.d.ts') ? [path] : [];
  });
}

const moduleName = (path: string): string => relative(SRC, path).replace(/\.ts$/, '');
const parse = (path: string): ts.SourceFile =>
  ts.createSourceFile(path, readFileSync(path, 'utf8'), ts.ScriptTarget.ES2023, true);

function importsOf(path: string): Import[] {
  const found: Import[] = [];
  const from = moduleName(path);
  const add = (specifier: string, names: readonly string[], typeOnly: boolean): void => {
    const to = specifier.startsWith('.')
      ? moduleName(join(dirname(path), specifier.replace(/\.js$/, '.ts')))
      : specifier;
    found.push({ from, to, names, typeOnly });
  };
  const visit = (node: ts.Node): void => {
    if (ts.isImportDeclaration(node) && ts.isStringLiteral(node.moduleSpecifier)) {
      const clause = node.importClause;
      const bindings = clause?.namedBindings;
      const wholly = clause?.phaseModifier === ts.SyntaxKind.TypeKeyword;
      const names =
        bindings && ts.isNamedImports(bindings)
          ? bindings.elements.map((element) =>
              wholly || element.isTypeOnly ? `type ${element.name.text}` : element.name.text,
            )
          : ['*'];
      const typeOnly = names.every((name) => name.startsWith('type '));
      add(node.moduleSpecifier.text, names, typeOnly);
    } else if (ts.isExportDeclaration(node) && node.moduleSpecifier) {
      add((node.moduleSpecifier as ts.StringLiteral).text, ['*'], node.isTypeOnly);
    }
    ts.forEachChild(node, visit);
  };
  visit(parse(path));
  return found;
}

const FILES = filesOf(SRC);
const IMPORTS = FILES.flatMap(importsOf);
const folderOf = (name: string): string => name.split('/')[0]!;

await t.test('every import is granted by the table', (t) => {
  for (const { from, to } of IMPORTS) {
    const folder = folderOf(from);
    const grants = TABLE[folder];
    if (!grants) {
      t.fail(`src/${folder} is not in the table`);
      continue;
    }
    const granted = to.startsWith('node:')
      ? grants.node.includes(to.slice(5))
      : existsSync(join(SRC, `${to}.ts`))
        ? folderOf(to) === folder ||
          grants.own.some((own) => to === own || to.startsWith(`${own}/`))
        : grants.packages.includes(to);
    t.ok(granted, `${from} imports ${to}`);
  }
  t.end();
});

await t.test('the table grants nothing that is not used', (t) => {
  for (const [folder, grants] of Object.entries(TABLE)) {
    const used = IMPORTS.filter(({ from }) => folderOf(from) === folder).map(({ to }) => to);
    for (const own of grants.own) {
      t.ok(
        used.some((to) => to === own || to.startsWith(`${own}/`)),
        `${folder} uses ${own}`,
      );
    }
    for (const name of grants.node)
      t.ok(used.includes(`node:${name}`), `${folder} uses node:${name}`);
    for (const name of grants.packages) t.ok(used.includes(name), `${folder} uses ${name}`);
  }
  t.end();
});

const PROCESSES = Object.keys(TABLE).filter((folder) => existsSync(join(SRC, folder, 'main.ts')));

await t.test('processes never import each other', (t) => {
  t.same(
    PROCESSES,
    ['supervisor', 'lower', 'valve', 'gate', 'checker', 'dial', 'upper', 'board', 'demo', 'cli'],
    'a folder is a process if and only if it has a main.ts',
  );
  for (const { from, to } of IMPORTS) {
    const target = folderOf(to);
    if (!PROCESSES.includes(target) || to.startsWith('node:')) continue;
    t.equal(target, folderOf(from), `${from} imports ${to}`);
  }
  t.end();
});

/** What opens a connection to somebody else. */
const DIALLERS: ReadonlySet<string> = new Set([
  '*',
  'connect',
  'createConnection',
  'get',
  'request',
]);

await t.test('the board dials nobody', (t) => {
  const own = IMPORTS.filter(({ from }) => folderOf(from) === 'board');
  for (const { from, to, names } of own) {
    if (!/^node:(net|tls|https?)$/.test(to)) continue;
    t.notOk(
      names.some((name) => DIALLERS.has(name)),
      `${from} imports ${names.join()} of ${to}`,
    );
  }
  t.end();
});

/** Everything that is loaded with a module. */
function reach(name: string, seen = new Set<string>()): Set<string> {
  if (seen.has(name)) return seen;
  seen.add(name);
  for (const { from, to, typeOnly } of IMPORTS) if (from === name && !typeOnly) reach(to, seen);
  return seen;
}

await t.test('what a process must not have, it does not load through others either', (t) => {
  for (const [folder, forbidden] of Object.entries(OUT_OF_REACH)) {
    for (const name of reach(`${folder}/main`)) {
      for (const pattern of forbidden) t.notMatch(name, pattern, `${folder} loads ${name}`);
    }
  }
  t.end();
});

await t.test('sockets are to be had in few places, and no more of them than named', (t) => {
  const relay = IMPORTS.filter(
    ({ from }) => !['demo', 'cli', 'pki', 'seals'].includes(folderOf(from)),
  );
  for (const { from, names } of relay.filter(({ to }) => to === 'node:net')) {
    for (const name of names)
      t.ok(NET[from]?.includes(name), `${from} imports ${name} of node:net`);
  }
  const inside = relay.filter(({ from }) => folderOf(from) !== 'board');
  for (const { from } of inside.filter(({ to }) => /^node:(tls|http|https|dgram)/.test(to))) {
    t.equal(from, 'upper/main', 'only upper speaks TLS');
  }
  for (const { from, names } of relay.filter(({ to }) => to.startsWith('node:dns'))) {
    t.equal(from, 'dialing/lookup', 'only what dials resolves names');
    t.strictSame(
      names.filter(
        (name) => !['lookup', 'type LookupAddress', 'type LookupAllOptions'].includes(name),
      ),
      [],
      'by the system alone: no name server of its own choice',
    );
  }
  t.end();
});

/** Calls `receiver.method(...)` in a file, as text. */
function callsOf(path: string, methods: readonly string[]): string[] {
  const calls: string[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isCallExpression(node) && ts.isPropertyAccessExpression(node.expression)) {
      if (methods.includes(node.expression.name.text)) calls.push(node.expression.getText());
    }
    ts.forEachChild(node, visit);
  };
  visit(parse(path));
  return calls;
}

await t.test('below the journal one call writes to a socket: that of the login script', (t) => {
  const below = ['lower', 'valve', 'gate', 'dial', 'dialing', 'supervisor', 'wire', 'link'];
  const writes = FILES.filter((path) => below.includes(folderOf(moduleName(path)))).flatMap(
    (path) => callsOf(path, ['write', 'end', 'pipe']).map((call) => `${moduleName(path)} ${call}`),
  );
  t.same(writes.sort(), [
    'lower/session socket.write', // the login script, computed before the connection exists
    'supervisor/messages messages.write', // orders to lower or dial, on a socketpair
    'valve/main pipe.write', // frames into the pipe to the gate
    'valve/main process.stderr.write', // the last line of its log
    'wire/descriptor socket.write', // a pipe's write end: a Socket that cannot read
  ]);
  t.end();
});

/** Every node of a file that the predicate holds for. */
function nodesOf<N extends ts.Node>(path: string, is: (node: ts.Node) => node is N): N[] {
  const found: N[] = [];
  const visit = (node: ts.Node): void => {
    if (is(node)) found.push(node);
    ts.forEachChild(node, visit);
  };
  visit(parse(path));
  return found;
}

await t.test('what that call writes is computed before the connection exists', (t) => {
  const session = join(SRC, 'lower/session.ts');
  const calls = nodesOf(session, ts.isCallExpression);
  const [write] = calls.filter((call) => call.expression.getText() === 'socket.write');
  t.equal(write?.arguments[0]?.getText(), 'slice');
  const slices = nodesOf(session, ts.isVariableDeclaration).filter(
    ({ name }) => name.getText() === 'slice',
  );
  t.equal(slices.length, 1);
  t.match(slices[0]?.initializer?.getText(), /^script\.bytes\.subarray\(start, [^()]*\)$/);
  // `script` is what logIn was called with: nothing in the file declares or assigns another.
  const [logIn] = nodesOf(session, ts.isFunctionDeclaration).filter(
    ({ name }) => name?.text === 'logIn',
  );
  t.match(logIn?.parameters.at(-1)?.getText(), 'script: LoginScript');
  const declared = nodesOf(session, ts.isVariableDeclaration).map(({ name }) => name.getText());
  t.notOk(declared.includes('script'));
  const assigned = nodesOf(session, ts.isBinaryExpression)
    .filter(({ operatorToken }) => operatorToken.kind === ts.SyntaxKind.EqualsToken)
    .map(({ left }) => left.getText());
  t.notOk(assigned.some((left) => left.startsWith('script')));
  const changes = ['fill', 'write', 'set', 'copy', 'swap16', 'writeUInt8'];
  t.same(
    callsOf(session, changes).filter((call) => call.startsWith('script')),
    [],
  );

  // In lower's main it is a constant of the module, made before anything connects.
  const main = parse(join(SRC, 'lower/main.ts'));
  const place = (text: string): number =>
    main.statements.findIndex((statement) => statement.getText().includes(text));
  t.match(main.statements[place('buildLogin(')]?.getText(), /^const script = buildLogin\(/);
  t.ok(place('buildLogin(') < place('serveConnections(') && place('serveConnections(') > 0);
  t.equal(IMPORTS.filter(({ names }) => names.includes('buildLogin')).length, 1);
  t.end();
});

await t.test('nothing below the journal knows the SEND encoder, nothing above the login', (t) => {
  for (const { from, to } of IMPORTS) {
    if (to === 'link/send') t.equal(folderOf(from), 'upper');
    if (to === 'link/login') t.equal(folderOf(from), 'lower');
    if (to === 'journal/writer') t.match(from, /^gate\//);
  }
  const below = [
    'event',
    'wire',
    'journal',
    'lower',
    'valve',
    'gate',
    'dial',
    'dialing',
    'supervisor',
  ];
  for (const path of FILES) {
    if (!below.includes(folderOf(moduleName(path)))) continue;
    const literals: string[] = [];
    const visit = (node: ts.Node): void => {
      if (ts.isStringLiteralLike(node)) literals.push(node.text);
      ts.forEachChild(node, visit);
    };
    visit(parse(path));
    for (const text of literals) t.notMatch(text, /\bSEND\b/, moduleName(path));
  }
  t.end();
});

await t.test('no code is loaded behind the table', (t) => {
  for (const path of FILES) {
    const visit = (node: ts.Node): void => {
      if (ts.isCallExpression(node)) {
        const callee = node.expression.getText();
        const dynamic = node.expression.kind === ts.SyntaxKind.ImportKeyword;
        // A browser gets what a page needs when it needs it, from the board alone.
        t.notOk(dynamic && !path.includes('/src/page/'), `${path}: dynamic import`);
        t.notMatch(
          callee,
          /^(require|eval|Function|process\.(binding|dlopen)|createRequire)$/,
          path,
        );
      }
      ts.forEachChild(node, visit);
    };
    visit(parse(path));
  }
  t.end();
});
