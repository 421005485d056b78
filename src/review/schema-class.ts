/** Classes and types of a policy as JSON Schema: tokens as enumerations, types by their class. */
import {
  classTokens,
  familyNames,
  familyOf,
  isTypeOf,
  typeNames,
  typeTokens,
} from '../policy/tokens.js';
import { carries } from '../event/carries.js';
import { ref, type Schema, whole } from './schema-value.js';

/** Classes that share their types. */
interface Scope {
  readonly name: string;
  readonly classes: readonly number[];
  readonly tokens: readonly string[];
}

const NUMBER = whole(0, 65535);
/** No token is a type of these: they have numbers only. */
const UNNAMED = 'unnamed';

function spellings(classes: ReadonlySet<number>): readonly string[] {
  return [...classTokens].filter(([, n]) => classes.has(n)).map(([token]) => token);
}

function scopes(): readonly Scope[] {
  const found = new Map<ReadonlyMap<string, number>, number[]>();
  for (let vscpClass = 0; vscpClass < 65536; vscpClass++) {
    const names = typeNames(vscpClass);
    if (names.size === 0) continue;
    const classes = found.get(names);
    if (classes) classes.push(vscpClass);
    else found.set(names, [vscpClass]);
  }
  return [...found].map(([names, classes]) => {
    const [first] = classes as [number];
    const full = [...typeTokens.keys()].filter((token) => isTypeOf(token, first));
    const bare = spellings(new Set([first])).find((token) => token.startsWith('CLASS'));
    return { name: `types.${bare ?? first}`, classes, tokens: [...names.keys(), ...full] };
  });
}

function typeDefinition({ name, tokens }: Scope): [string, Schema] {
  return [name, { anyOf: [{ enum: tokens }, NUMBER] }];
}

/** Refuses types that are none of a class; `then` is a reference to a type. */
function within(one: Schema, some: Schema | undefined, type: Schema): Schema {
  const named = some ? [one, { type: 'array', contains: some }] : [one];
  return {
    if: {
      required: ['class', 'type'],
      properties: { class: { anyOf: [...named, { type: 'array', minItems: 1, items: one }] } },
    },
    then: { properties: { type: { anyOf: [type, { type: 'array', items: type }] } } },
  };
}

function typesByClass(all: readonly Scope[]): Schema {
  const scopeOf = new Map(all.flatMap((scope) => scope.classes.map((n) => [n, scope] as const)));
  const families = new Map<string, ReadonlySet<Scope>>();
  for (const family of familyNames) {
    const inside = (familyOf(family) ?? []).flatMap((n) => scopeOf.get(n) ?? []);
    if (inside.length > 0) families.set(family, new Set(inside));
  }
  const single = all.map((scope) => {
    const named = [...spellings(new Set(scope.classes)), ...scope.classes];
    const own = [...families].filter(([, of]) => of.size === 1 && of.has(scope));
    const one = { enum: [...named, ...own.map(([family]) => family)] };
    // A class that is named must have each type; one that came by its family is passed over.
    return within(one, { enum: named }, ref(scope.name));
  });
  const several = [...families]
    .filter(([, of]) => of.size > 1)
    .map(([family, of]) =>
      within({ enum: [family] }, undefined, { anyOf: [...of].map(({ name }) => ref(name)) }),
    );
  const known = new Set(all.flatMap(({ classes }) => classes));
  const bare = [...classTokens].filter(([, n]) => !known.has(n)).map(([token]) => token);
  const other = { anyOf: [{ enum: bare }, { type: 'integer', not: { enum: [...known] } }] };
  return { allOf: [...single, ...several, within(other, other, ref(UNNAMED))] };
}

/** Measurement classes: those whose events carry a value. */
function measurements(): readonly (string | number)[] {
  const numbers = [...Array(65536).keys()].filter((n) => carries(n)?.value === true);
  return [...spellings(new Set(numbers)), ...numbers];
}

/** What the other parts of the schema refer to. */
export function classDefinitions(): Readonly<Record<string, Schema>> {
  const all = scopes();
  const tokens = [...classTokens.keys()];
  const measuring = measurements();
  return {
    class: {
      description: 'a class: token or number',
      anyOf: [{ enum: tokens }, NUMBER],
    },
    classOrFamily: {
      description:
        'a class: token or number. "@SECURITY" stands for every class under which the events of ' +
        'a family travel: the class itself, its mirror 512 above, its Level II class.',
      anyOf: [{ enum: [...familyNames, ...tokens] }, NUMBER],
    },
    measurementClass: { description: 'a class that carries a value', enum: measuring },
    measurementClasses: {
      anyOf: [
        { enum: ['@MEASUREMENT', ...measuring] },
        { type: 'array', items: { enum: [...familyNames, ...measuring] } },
      ],
    },
    type: {
      description: 'a type: a token within its class, or a number',
      anyOf: [{ type: 'string', pattern: '^[A-Z0-9_]+$' }, NUMBER],
    },
    anyType: {
      anyOf: [{ enum: [...new Set(all.flatMap(({ tokens: own }) => own))] }, NUMBER],
    },
    typesByClass: typesByClass(all),
    [UNNAMED]: NUMBER,
    ...Object.fromEntries(all.map(typeDefinition)),
  };
}
