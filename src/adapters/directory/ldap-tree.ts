import { CloudError } from '../../base/errors.ts';
import { LdapConnection } from './ldap-connection.ts';
import { treeEntries } from './ldap-setup.ts';
import type { LdapAccess, LdapSettings } from './ldap-settings.ts';
import { LdapWriter } from './ldap-writer.ts';

/** Makes what is missing of novactl's part, parents first, and sets the password of its account. May be run again. `access` is an administrator's. */
export async function loadTree(
  access: LdapAccess,
  settings: LdapSettings,
): Promise<{ dn: string; action: 'made' | 'there' }[]> {
  const connection = new LdapConnection(access, settings.baseDn);
  const writer = new LdapWriter(connection);
  try {
    const done: { dn: string; action: 'made' | 'there' }[] = [];
    for (const { dn, attributes } of treeEntries(settings)) {
      const entry = Object.entries(attributes).map(([name, value]) => [
        name,
        typeof value === 'string' ? value : [...value],
      ]) as [string, string | string[]][];
      const written = await writer.add(dn, Object.fromEntries(entry));
      if (written === 'missing') {
        throw new CloudError(
          'InvalidParameterValue',
          `${dn}: its parent is not in the directory: correct directory.baseDn`,
        );
      }
      done.push({ dn, action: written === 'exists' ? 'there' : 'made' });
    }
    if ((await writer.setPassword(settings.bindDn, settings.bindPassword)) === 'missing') {
      throw new CloudError('InvalidParameterValue', `directory.bindDn: ${settings.bindDn} is not in the directory`);
    }
    return done;
  } finally {
    await connection.close();
  }
}
