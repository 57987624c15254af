import { directoryFindings } from '../../views/directory.ts';
import { BaseCommand } from '../support/base-command.ts';
import { columnsFlag } from '../support/flags.ts';
import { loadWholeConfig } from '../support/load-config.ts';

export class DirectoryCheck extends BaseCommand {
  static override summary = 'look whether the LDAP directory is as novactl needs it';
  static override description =
    'Connects as the configuration says and looks at address, TLS, account, schema, tree, indexes, what strangers read, writing and limits. Makes two entries of its own and removes them. Ends with exit code 1 when something is wrong.';
  static override aliases = ['check-directory'];
  static override examples = ['<%= config.bin %> directory check', '<%= config.bin %> directory check --json'];
  static override flags = { ...columnsFlag };

  async run(): Promise<number> {
    const { flags } = await this.parse(DirectoryCheck);
    const session = this.open(flags);
    const { config } = await loadWholeConfig(this.io, flags);
    const { checkDirectory } = await import('../../launch/directory-setup.ts');
    const findings = await checkDirectory(config);
    await session.show(directoryFindings(findings));
    const wrong = findings.filter(({ result }) => result === 'failed').length;
    if (wrong > 0) session.output.warn(`${wrong} things are wrong; packaging/ldap/README.md says how it is meant`);
    return wrong === 0 ? 0 : 1;
  }
}
