import { Flags } from '@oclif/core';
import { configListing } from '../../views/config.ts';
import { BaseCommand } from '../support/base-command.ts';
import { listFlags } from '../support/flags.ts';
import { loadWholeConfig } from '../support/load-config.ts';

export class ConfigShow extends BaseCommand {
  static override summary = 'show the configuration';
  static override description = 'A value is taken from the first of: flag, environment, context, file, default.';
  static override aliases = ['show-config'];
  static override examples = [
    '<%= config.bin %> config show --origin',
    '<%= config.bin %> config show --set network.mtu=1400 --filter key=network.*',
    '<%= config.bin %> config show --output yaml',
  ];
  static override flags = {
    origin: Flags.boolean({ description: 'where each value is from' }),
    ...listFlags,
  };

  async run(): Promise<void> {
    const { flags } = await this.parse(ConfigShow);
    const session = this.open(flags);
    const { config, origins, warnings } = await loadWholeConfig(this.io, flags);
    for (const warning of warnings) session.output.warn(warning);
    await session.show(configListing(config, origins, flags.origin));
  }
}
