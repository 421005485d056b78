/** The JSON Schema (draft-07) of policy files, from the tables that the parser reads. */
import { MAX_RULES } from '../policy/parse.js';
import { classDefinitions } from './schema-class.js';
import { EMISSIONS } from './schema-emit.js';
import { EFFECT, MATCHES, REASON } from './schema-match.js';
import { TESTS } from './schema-test.js';
import { list, oneOrMore, record, ref, type Schema, VALUES } from './schema-value.js';

export const SCHEMA_ID = 'urn:tidegate:policy:v1';

/** What a schema cannot say; the parser does. */
const BEYOND = [
  'JSON Schema cannot say all that tidegate requires. Only the parser knows:',
  'whether a unit belongs to the type, and converts into the one that is sent;',
  'whether a class has a sensor index or a zone, and a type of several classes means the same;',
  'whether a $list exists and GUID bits stand beyond their prefix; whether a raw mask is all zero;',
  'whether dates and zones exist and schedules ever open; whether a range is empty;',
  'whether names are used twice; whether two permits of one channel overlap and differ;',
  'duplicate keys, anchors, tags and control characters of the YAML itself.',
  "'assert' is refused: claims are loaded when they can be proved.",
].join(' ');

const RULE = record(
  'Some events may leave, or must not.',
  {
    name: ref('name', 'What logs, audit and tests call it.'),
    effect: EFFECT,
    to: oneOrMore(
      ref('name'),
      'The channels of a permit. A forbid without it holds for every channel.',
    ),
    urgent: {
      description:
        'What it sends may overtake the rest on its channels, as all that is sent with priority 0 ' +
        'does. Default false. An upper with drain: in-order lets nothing overtake.',
      type: 'boolean',
    },
    reason: REASON,
    expires: ref(
      'date',
      'The last day it is valid, UTC. Then a permit no longer matches, and the file of a forbid ' +
        'is no longer loaded.',
    ),
    match: ref('match'),
    emit: ref('emit'),
    limits: ref('limits'),
  },
  {
    required: ['name', 'effect', 'match'],
    allOf: [
      {
        if: { properties: { effect: { const: 'forbid' } } },
        then: { properties: { emit: false, limits: false, urgent: false } },
        else: { required: ['to'] },
      },
    ],
  },
);

const HEAD = record(
  'What the file is.',
  {
    id: ref('name', 'Stands before the names of its rules: id/rule.'),
    revision: {
      description: 'Count it up with every change.',
      type: 'integer',
      minimum: 0,
      maximum: Number.MAX_SAFE_INTEGER,
    },
    owner: ref('text', 'Who answers for it.'),
    expires: ref('date', 'The last day it is valid, UTC. Then nothing leaves by it.'),
  },
  { required: ['id', 'revision'] },
);

const LISTS: Schema = {
  description: 'GUID lists, for `guid: { in: $name }`.',
  type: 'object',
  additionalProperties: false,
  patternProperties: { '^[A-Za-z]\\w{0,63}$': ref('guidList') },
};

const EXAMPLE = {
  schema: 'tidegate-policy/v1',
  policy: { id: 'public-temperature', revision: 1, owner: 'ops@plant.example' },
  rules: [
    {
      name: 'temperature',
      effect: 'permit',
      to: ['public'],
      match: { class: 'CLASS1.MEASUREMENT', type: 'TEMPERATURE' },
      emit: { value: { unit: 'celsius', round: 0.5 } },
    },
  ],
};

/** The schema of policy files, for editors and for whoever checks files without tidegate. */
export function policySchema(): object {
  const top = record(
    'What a relay may let out of a VSCP network. Nothing leaves that no rule permits.',
    {
      schema: { description: 'The version of the language.', const: 'tidegate-policy/v1' },
      policy: HEAD,
      lists: LISTS,
      rules: { ...list(RULE, MAX_RULES), description: 'Rules; their order means nothing.' },
      tests: {
        ...list(ref('test'), 4096),
        description: 'Tests, run by tidegate policy test. Each rule should be hit and missed once.',
      },
    },
    { required: ['schema', 'policy', 'rules'] },
  );
  return {
    $schema: 'http://json-schema.org/draft-07/schema#',
    $id: SCHEMA_ID,
    $comment: BEYOND,
    title: 'tidegate policy',
    ...top,
    examples: [EXAMPLE],
    definitions: { ...VALUES, ...classDefinitions(), ...MATCHES, ...EMISSIONS, ...TESTS },
  };
}
