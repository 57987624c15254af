import { CloudError } from '../base/errors.ts';
import type { LdapFinding } from '../adapters/directory/ldap-check.ts';
import type { LdapAccess } from '../adapters/directory/ldap-settings.ts';
import { SystemClock } from '../base/clock.ts';
import { silentLogger } from '../base/logger.ts';
import { readConfiguredFile } from './config/configured-file.ts';
import type { Config } from './config/schema.ts';
import { directoryPlaces, ldapSettings } from './open-directory.ts';

/** An administrator of the directory, who may make novactl's part. */
export interface DirectoryAdmin {
  readonly dn: string;
  readonly passwordFile: string;
}

const quiet = { clock: new SystemClock(), logger: silentLogger };

/** What has to be loaded, as LDIF: the changes of cn=config and the entries of the tree. Asks nobody. */
export async function renderDirectorySetup(
  config: Pick<Config, 'directory'>,
  database: string,
): Promise<{ config: string; tree: string }> {
  const { configLdif, treeEntries } = await import('../adapters/directory/ldap-setup.ts');
  const { renderLdif } = await import('../adapters/directory/ldif.ts');
  const places = directoryPlaces(config);
  return { config: configLdif(database, places, renderLdif), tree: renderLdif(treeEntries(places)) };
}

/** Makes the entries that are missing, as `admin`, and gives novactl's account its password. Errors: those of Directory.apply. */
export async function applyDirectoryTree(
  config: Pick<Config, 'directory'>,
  admin: DirectoryAdmin,
): Promise<{ dn: string; action: 'made' | 'there' }[]> {
  const { loadTree } = await import('../adapters/directory/ldap-tree.ts');
  const settings = await ldapSettings(config, quiet);
  const secret = await readConfiguredFile('--admin-password-file', admin.passwordFile, { secret: true });
  const access: LdapAccess = {
    ...settings,
    bindDn: admin.dn,
    bindPassword: secret.toString('utf8').replace(/\r?\n$/, ''),
  };
  return loadTree(access, settings);
}

/** Looks at the directory with the account that is configured. It writes two entries of its own and removes them. */
export async function checkDirectory(config: Pick<Config, 'directory'>): Promise<LdapFinding[]> {
  if (config.directory.kind === 'store') {
    throw new CloudError(
      'IncorrectState',
      'directory.kind is store: users and projects are among the records of the store, and there is no server to check',
    );
  }
  const { checkLdap } = await import('../adapters/directory/ldap-check.ts');
  return checkLdap(await ldapSettings(config, quiet));
}
