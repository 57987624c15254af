import { Flags } from '@oclif/core';
import { CloudError } from '../../base/errors.ts';
import { treeEntriesMade } from '../../views/directory.ts';
import { BaseCommand } from '../support/base-command.ts';
import { columnsFlag } from '../support/flags.ts';
import { loadWholeConfig } from '../support/load-config.ts';

export class DirectoryInit extends BaseCommand {
  static override summary = "print, or load, novactl's part of an LDAP directory";
  static override description =
    'Prints two pieces of LDIF for the base that the configuration names: the changes of the server (schema, indexes, limits, access, overlays; for ldapmodify by whoever administers cn=config), and the entries. With --apply the entries that are missing are made by the account of --admin-dn, which also sets the password of the account of novactl to that of directory.bindPasswordFile; it may be run again.';
  static override aliases = ['init-directory'];
  static override examples = [
    '<%= config.bin %> directory init',
    '<%= config.bin %> directory init --part config --database "olcDatabase={1}mdb,cn=config"',
    '<%= config.bin %> directory init --apply --admin-dn cn=admin,dc=example,dc=org --admin-password-file /root/ldap-admin',
  ];
  static override flags = {
    apply: Flags.boolean({
      description: 'make the entries that are missing',
      dependsOn: ['admin-dn', 'admin-password-file'],
    }),
    'admin-dn': Flags.string({ description: 'account that may make them', helpValue: 'DN' }),
    'admin-password-file': Flags.string({ description: 'file (mode 0600) with its password', helpValue: 'FILE' }),
    part: Flags.string({ description: 'print one part', options: ['config', 'tree'] }),
    database: Flags.string({
      description: 'entry in cn=config of the database that has the base',
      helpValue: 'DN',
      default: 'olcDatabase={1}mdb,cn=config',
    }),
    ...columnsFlag,
  };

  async run(): Promise<void> {
    const { flags } = await this.parse(DirectoryInit);
    const session = this.open(flags);
    const { config } = await loadWholeConfig(this.io, flags);
    const { applyDirectoryTree, renderDirectorySetup } = await import('../../launch/directory-setup.ts');
    const [dn, passwordFile] = [flags['admin-dn'], flags['admin-password-file']];
    if (!flags.apply) {
      const ldif = await renderDirectorySetup(config, flags.database);
      const parts = flags.part === undefined ? ldif : { [flags.part]: ldif[flags.part === 'tree' ? 'tree' : 'config'] };
      await session.showValue(parts, Object.values(parts).join('\n'));
      return;
    }
    if (dn === undefined || passwordFile === undefined) {
      throw new CloudError('MissingParameter', '--apply needs --admin-dn and --admin-password-file');
    }
    const entries = await applyDirectoryTree(config, { dn, passwordFile });
    await session.show(treeEntriesMade(entries));
    session.output.message('look at the rest by: novactl directory check');
  }
}
