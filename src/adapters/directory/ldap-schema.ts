/**
 * Our part of an LDAP schema. The numbers stand below a UUID (ITU-T X.667, b1862af8-c232-4410-922e-647c9d317a22): such an arc is ours without a
 * registration, and may never be given to another meaning.
 */
const ARC = '2.25.235969994602862292936834347332602526242';

/** Attributes and classes, as they are called in the directory. */
export const NOVA = {
  user: 'novaUser',
  project: 'novaProject',
  enabled: 'novaEnabled',
  globalRole: 'novaGlobalRole',
  created: 'novaCreated',
  ownEntry: 'novaOwnEntry',
  accountId: 'novaAccountId',
  projectManager: 'novaProjectManager',
} as const;

/** What an entry of a person has from us; taken away again when the user is deleted. */
export const USER_ATTRIBUTES: readonly string[] = [NOVA.enabled, NOVA.globalRole, NOVA.created, NOVA.ownEntry];

const BOOLEAN = 'EQUALITY booleanMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.7 SINGLE-VALUE';
const TIME =
  'EQUALITY generalizedTimeMatch ORDERING generalizedTimeOrderingMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.24 SINGLE-VALUE';

const attribute = (number: number, name: string, what: string, rest: string): string =>
  `( ${ARC}.1.${number} NAME '${name}' DESC '${what}' ${rest} )`;

const klass = (number: number, name: string, what: string, rest: string): string =>
  `( ${ARC}.2.${number} NAME '${name}' DESC '${what}' SUP top AUXILIARY ${rest} )`;

export const ATTRIBUTE_TYPES: readonly string[] = [
  attribute(1, NOVA.enabled, 'whether the user may do anything', BOOLEAN),
  attribute(
    2,
    NOVA.globalRole,
    'a role in the whole cloud',
    'EQUALITY caseExactMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15{64}',
  ),
  attribute(3, NOVA.created, 'when it was made', TIME),
  attribute(4, NOVA.ownEntry, 'novactl made the entry, and may delete it', BOOLEAN),
  attribute(
    5,
    NOVA.accountId,
    '12 digits that one project alone has',
    'EQUALITY numericStringMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.36{12} SINGLE-VALUE',
  ),
  attribute(6, NOVA.projectManager, 'the user who decides on members', 'SUP distinguishedName SINGLE-VALUE'),
];

export const OBJECT_CLASSES: readonly string[] = [
  klass(
    1,
    NOVA.user,
    'a user of the cloud, beside inetOrgPerson',
    `MUST ( ${NOVA.enabled} $ ${NOVA.created} ) MAY ( ${NOVA.globalRole} $ ${NOVA.ownEntry} )`,
  ),
  klass(
    2,
    NOVA.project,
    'a project of the cloud, beside groupOfNames',
    `MUST ( ${NOVA.accountId} $ ${NOVA.projectManager} $ ${NOVA.created} )`,
  ),
];

/** One entry of an LDIF file. */
export interface LdifEntry {
  readonly dn: string;
  readonly attributes: Readonly<Record<string, string | readonly string[]>>;
}

/** For `ldapadd` to cn=config. */
export const SCHEMA_ENTRY: LdifEntry = {
  dn: 'cn=novactl,cn=schema,cn=config',
  attributes: {
    objectClass: 'olcSchemaConfig',
    cn: 'novactl',
    olcAttributeTypes: ATTRIBUTE_TYPES,
    olcObjectClasses: OBJECT_CLASSES,
  },
};

/** The name of each attribute and class in what a server says of its schema: `( 2.25.1 NAME ( 'a' 'b' ) ...`, in lower case. */
export function namesInSchema(definitions: readonly string[]): Set<string> {
  const names = definitions.flatMap((text) => {
    const [, one, several = ''] = /\bNAME (?:'([^']+)'|\(([^)]*)\))/.exec(text) ?? [];
    return one === undefined ? [...several.matchAll(/'([^']+)'/g)].map(([, name = '']) => name) : [one];
  });
  return new Set(names.map((name) => name.toLowerCase()));
}
