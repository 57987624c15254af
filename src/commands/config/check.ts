import { BaseCommand } from '../support/base-command.ts';
import { loadWholeConfig } from '../support/load-config.ts';

export class ConfigCheck extends BaseCommand {
  static override summary = 'check the configuration';
  static override description =
    'Looks at the keys and at the certificates and secrets that they name, says all that is wrong at once, and ends with exit code 2 when something is. Where objectstore.endpoint is set it then asks there for the bucket, and ends with exit code 7 when that can not be had.';
  static override aliases = ['check-config'];
  static override examples = [
    '<%= config.bin %> config check',
    '<%= config.bin %> config check --config ./novactl.yaml',
  ];

  async run(): Promise<void> {
    const { flags } = await this.parse(ConfigCheck);
    const session = this.open(flags);
    const { config, warnings: ofKeys } = await loadWholeConfig(this.io, flags);
    const { checkNamedFiles } = await import('../../launch/config/check-files.ts');
    const warnings = [...ofKeys, ...(await checkNamedFiles(config))];
    const { checkEndpoint } = await import('../../launch/open-endpoint.ts');
    const { SystemClock } = await import('../../base/clock.ts');
    await checkEndpoint(config, { clock: new SystemClock() });
    for (const warning of warnings) session.output.warn(warning);
    session.output.message('the configuration is valid');
    await session.showValue({ valid: true, warnings }, '');
  }
}
