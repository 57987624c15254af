import { BaseCommand } from '../support/base-command.ts';
import { loadWholeConfig } from '../support/load-config.ts';

export class ConfigCheck extends BaseCommand {
  static override summary = 'check the configuration';
  static override description = 'Says all that is wrong at once and ends with exit code 2 when something is.';
  static override aliases = ['check-config'];
  static override examples = [
    '<%= config.bin %> config check',
    '<%= config.bin %> config check --config ./novactl.yaml',
  ];

  async run(): Promise<void> {
    const { flags } = await this.parse(ConfigCheck);
    const session = this.open(flags);
    const { warnings } = await loadWholeConfig(this.io, flags);
    for (const warning of warnings) session.output.warn(warning);
    session.output.message('the configuration is valid');
    await session.showValue({ valid: true, warnings }, '');
  }
}
