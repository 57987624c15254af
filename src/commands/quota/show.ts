import { Flags } from '@oclif/core';
import { quotaListing } from '../../views/quotas.ts';
import { BaseCommand } from '../support/base-command.ts';
import { listFlags } from '../support/flags.ts';
import { ownerFlags, ownerInput, ownerParameters } from '../support/owner-flags.ts';

export class QuotaShow extends BaseCommand {
  static override summary = 'show what a project has in use, and its limits';
  static override description =
    "With --user only what that user has in the project, beside the user's own limits, which count beside the project's. Limits hold in each region for itself; --region shows what is in use in one. --output wide draws a bar. The project admin is unlimited until limits are set.";
  static override aliases = ['show-quota', 'project:quota'];
  static override examples = [
    '<%= config.bin %> quota show',
    '<%= config.bin %> quota show --project lab --output wide',
    '<%= config.bin %> quota show --project lab --user anna',
    '<%= config.bin %> quota show --region west',
  ];
  static override flags = {
    ...ownerFlags,
    region: Flags.string({ description: "region whose use is shown; default the cloud's first", helpValue: 'NAME' }),
    ...listFlags,
  };
  static override parameters = { ...ownerParameters, Region: '--region' };

  async run(): Promise<void> {
    const { flags } = await this.parse(QuotaShow);
    const session = this.open(flags);
    const { quotas, ...rest } = await session.read('DescribeQuotas', {
      ...ownerInput(flags),
      ...(flags.region === undefined ? {} : { Region: flags.region }),
    });
    await session.show(quotaListing(quotas, rest));
  }
}
