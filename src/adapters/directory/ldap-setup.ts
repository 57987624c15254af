import type { LdifEntry } from './ldap-schema.ts';
import { NOVA, SCHEMA_ENTRY, USER_ATTRIBUTES } from './ldap-schema.ts';
import type { LdapPlaces } from './ldap-settings.ts';

export type SetupPlaces = Pick<LdapPlaces, 'baseDn' | 'userBase' | 'attributes'> & { readonly bindDn: string };

export const policyDn = ({ baseDn }: Pick<SetupPlaces, 'baseDn'>, name: string): string =>
  `cn=${name},ou=policies,${baseDn}`;

const attributeAndValue = (dn: string): [string, string] => {
  const [, attribute = 'ou', value = ''] = /^([^=]+)=((?:[^,\\]|\\.)*)/.exec(dn) ?? [];
  return [attribute.trim().toLowerCase(), value.trim()];
};

const isBelow = (dn: string, base: string): boolean => dn.toLowerCase().endsWith(base.toLowerCase());

/** Indexes of what novactl asks for. They belong into the first configuration: one that is added later is not used before slapindex has run. */
export const indexesFor = ({ attributes }: Pick<SetupPlaces, 'attributes'>): string[] => [
  'objectClass eq',
  `${attributes.name},cn eq`,
  'member eq',
  `${NOVA.accountId},${NOVA.projectManager},${NOVA.ownEntry} eq`,
];

/**
 * Who may do what, in this order. The account of novactl has no more than it needs: its own part, the entries that it made, and of other people's
 * what is ours and the list of classes. Whom it made may change their own password. Nobody else reads what is ours.
 */
export function accessRules({ baseDn, userBase, bindDn }: SetupPlaces): string[] {
  const nova = `by dn.exact="${bindDn}"`;
  const people = `to dn.subtree="${userBase}"`;
  const own = `${people} filter=(${NOVA.ownEntry}=TRUE)`;
  const password = `attrs=userPassword ${nova} =w by self =xw by anonymous auth by * none`;
  const marks = `${people} attrs=${USER_ATTRIBUTES.join(',')} ${nova} write by * none`;
  const account = `to dn.exact="${bindDn}" by anonymous auth by self read by * none`;
  const part = [
    `to dn.subtree="ou=policies,${baseDn}" ${nova} read by * none`,
    `to dn.subtree="${baseDn}" ${nova} write by * none`,
  ];
  if (isBelow(userBase, baseDn)) {
    return [account, `${people} ${password}`, marks, `${people} ${nova} write by self read by * none`, ...part];
  }
  return [
    account,
    ...part,
    `${own} ${password}`,
    `${people} attrs=userPassword ${nova} none by * break`,
    marks,
    `${own} ${nova} write by self read by * break`,
    // To take somebody in is to add a class; to remove a person would take a right on the entry, which is not given.
    `${people} attrs=children,objectClass ${nova} write by * break`,
    `${people} ${nova} read by * break`,
  ];
}

/** One account id for one project, also when two controllers write at the same moment. */
export const uniqueRule = ({ baseDn }: Pick<SetupPlaces, 'baseDn'>): string =>
  `serialize ldap:///${baseDn}?${NOVA.accountId}?sub`;

/** Overlays of the database, in the order they are loaded. */
export function overlayEntries(database: string, places: SetupPlaces): LdifEntry[] {
  return [
    {
      dn: `olcOverlay=ppolicy,${database}`,
      attributes: {
        objectClass: ['olcOverlayConfig', 'olcPPolicyConfig'],
        olcOverlay: 'ppolicy',
        olcPPolicyDefault: policyDn(places, 'people'),
        olcPPolicyHashCleartext: 'TRUE',
      },
    },
    {
      dn: `olcOverlay=unique,${database}`,
      attributes: {
        objectClass: ['olcOverlayConfig', 'olcUniqueConfig'],
        olcOverlay: 'unique',
        olcUniqueURI: uniqueRule(places),
      },
    },
  ];
}

/** Its searches are never cut off: a list that lacks people would be believed. */
export const limitFor = (bindDn: string): string => `dn.exact="${bindDn}" size=unlimited time=unlimited`;

/**
 * The changes of cn=config as LDIF for ldapmodify: modules, schema, indexes, limits, access, overlays. `database` is the entry of the database
 * that has the base, such as olcDatabase={1}mdb,cn=config.
 */
export function configLdif(
  database: string,
  places: SetupPlaces,
  render: (entries: readonly LdifEntry[]) => string,
): string {
  const adds = (entries: readonly LdifEntry[]): string =>
    render(entries).replaceAll(/^(dn:.*(?:\n .*)*)$/gm, '$1\nchangetype: add');
  const part = (operation: string, name: string, values: readonly string[]): string[] => [
    `${operation}: ${name}`,
    ...values.map((value) => `${name}: ${value}`),
    '-',
  ];
  const modify = (dn: string, ...parts: string[][]): string =>
    `${[`dn: ${dn}`, 'changetype: modify', ...parts.flat()].join('\n')}\n`;
  const rules = accessRules(places);
  return [
    '# 1. The modules of the overlays; leave out what the server has built in or loaded.',
    modify('cn=module{0},cn=config', part('add', 'olcModuleLoad', ['ppolicy', 'unique'])),
    '# 2. The schema.',
    adds([SCHEMA_ENTRY]),
    '# 3. Indexes (stop slapd, run slapindex, start it, where the database has entries), limits and access.',
    '#    The rules stand before those that are there, since the first one that fits counts.',
    modify(
      database,
      part('add', 'olcDbIndex', indexesFor(places).slice(1)),
      part('add', 'olcLimits', [limitFor(places.bindDn)]),
      part(
        'add',
        'olcAccess',
        rules.map((rule, index) => `{${index}}${rule}`),
      ),
    ),
    '# 4. The overlays.',
    adds(overlayEntries(database, places)),
  ].join('\n');
}

/** The entries of novactl's own part, parents first. The account has no password yet: it is set by itself, so that no file has it. */
export function treeEntries(places: SetupPlaces): LdifEntry[] {
  const { baseDn, userBase, bindDn } = places;
  const ou = (dn: string, description: string): LdifEntry => {
    const [attribute, value] = attributeAndValue(dn);
    return { dn, attributes: { objectClass: ['top', 'organizationalUnit'], [attribute]: value, description } };
  };
  const policy = (name: string, more: Readonly<Record<string, string>>): LdifEntry => ({
    dn: policyDn(places, name),
    attributes: {
      objectClass: ['top', 'device', 'pwdPolicy'],
      ...{ cn: name, pwdAttribute: 'userPassword', pwdCheckQuality: '2', pwdMinLength: '8', ...more },
    },
  });
  return [
    ou(baseDn, 'users and projects of the cloud'),
    ...(isBelow(userBase, baseDn) && userBase.toLowerCase() !== baseDn.toLowerCase()
      ? [ou(userBase, 'people whom novactl made')]
      : []),
    ou(`ou=projects,${baseDn}`, 'projects, with a group for each role below'),
    ou(`ou=policies,${baseDn}`, 'rules for passwords'),
    // Wrong guesses lock a person for a while. They must not lock novactl, or anybody could stop the cloud with three of them.
    policy('people', {
      pwdLockout: 'TRUE',
      pwdMaxFailure: '5',
      pwdLockoutDuration: '300',
      pwdFailureCountInterval: '300',
    }),
    policy('services', { pwdLockout: 'FALSE' }),
    ...(isBelow(bindDn, baseDn) ? [accountEntry(places)] : []),
  ];
}

function accountEntry(places: SetupPlaces): LdifEntry {
  const [attribute, value] = attributeAndValue(places.bindDn);
  return {
    dn: places.bindDn,
    attributes: {
      // Without a password nobody can bind as it; `simpleSecurityObject` would demand one in this very entry.
      objectClass: ['top', 'applicationProcess', 'extensibleObject'],
      ...{ [attribute]: value, description: 'novactl itself' },
      pwdPolicySubentry: policyDn(places, 'services'),
    },
  };
}
