import type { LdapSettings } from '../adapters/directory/ldap-settings.ts';
import { createStoreDirectory } from '../adapters/directory/store-directory.ts';
import type { Clock } from '../base/clock.ts';
import { CloudError } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import type { Random } from '../base/random.ts';
import type { Directory } from '../ports/directory.ts';
import type { Store } from '../ports/store.ts';
import { readConfiguredFile } from './config/configured-file.ts';
import type { Config } from './config/schema.ts';
import { systemAuthorities } from './config/system-authorities.ts';

interface LdapParts {
  readonly clock: Clock;
  readonly logger: Logger;
}

const missing = (key: string, example: string): CloudError =>
  new CloudError('InvalidParameterCombination', `directory.kind is ldap and ${key} is not set; write ${example}`);

/** Where things are in the LDAP directory, with what follows from its base filled in. Errors: 'InvalidParameterCombination'. */
export function directoryPlaces({
  directory,
}: Pick<Config, 'directory'>): Pick<LdapSettings, 'baseDn' | 'userBase' | 'bindDn' | 'userFilter' | 'attributes'> {
  const { baseDn, userBase, bindDn, userFilter, attributes } = directory;
  if (baseDn === '') throw missing('directory.baseDn', 'a name like ou=novactl,dc=example,dc=org');
  return {
    ...{ baseDn, userFilter, attributes },
    userBase: userBase || `ou=users,${baseDn}`,
    bindDn: bindDn || `cn=novactl,${baseDn}`,
  };
}

/** The certificate authority that the configuration names; Node's own where it names none and the system has no list. */
export async function directoryAuthority({ directory }: Pick<Config, 'directory'>): Promise<Buffer | undefined> {
  return directory.ca === ''
    ? systemAuthorities()
    : readConfiguredFile('directory.ca', directory.ca, { secret: false });
}

/** All that the configuration says of the LDAP directory, with the password. Errors name the key and how it is mended. */
export async function ldapSettings(config: Pick<Config, 'directory'>, parts: LdapParts): Promise<LdapSettings> {
  const { url, startTls, bindPasswordFile, connectTimeoutMs, timeoutMs } = config.directory;
  if (url === '') throw missing('directory.url', 'an address like ldaps://ldap.example.org');
  if (bindPasswordFile === '') throw missing('directory.bindPasswordFile', 'the path of a file with mode 0600');
  const places = directoryPlaces(config);
  const secret = await readConfiguredFile('directory.bindPasswordFile', bindPasswordFile, { secret: true });
  const bindPassword = secret.toString('utf8').replace(/\r?\n$/, '');
  if (bindPassword === '') {
    throw new CloudError('InvalidParameterValue', `directory.bindPasswordFile: ${bindPasswordFile} is empty`);
  }
  const ca = await directoryAuthority(config);
  const { clock, logger } = parts;
  return { ...places, url, startTls: startTls === 'on', ca, bindPassword, connectTimeoutMs, timeoutMs, clock, logger };
}

/**
 * The directory that the configuration names. ldapts is loaded by this alone, and only where it is wanted. Nothing is dialled yet. Errors:
 * 'InvalidParameterValue' and 'InvalidParameterCombination', which name the key.
 */
export async function openDirectory(
  config: Pick<Config, 'directory'>,
  parts: LdapParts & { readonly store: Store; readonly random: Random },
): Promise<Directory> {
  if (config.directory.kind === 'store') return createStoreDirectory(parts);
  const settings = await ldapSettings(config, parts);
  const { createLdapDirectory } = await import('../adapters/directory/ldap-directory.ts');
  return createLdapDirectory({ ...settings, logger: parts.logger.child({ part: 'directory' }) });
}
