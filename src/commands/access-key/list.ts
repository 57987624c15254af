import { Flags } from '@oclif/core';
import { accessKeyListing } from '../../views/access-keys.ts';
import { BaseCommand } from '../support/base-command.ts';
import { listFlags } from '../support/flags.ts';

export class AccessKeyList extends BaseCommand {
  static override summary = 'list access keys';
  static override aliases = ['list-access-key'];
  static override examples = [
    '<%= config.bin %> access-key list',
    '<%= config.bin %> access-key list --user admin --output name',
  ];
  static override flags = {
    user: Flags.string({ description: 'only keys of this user', helpValue: 'NAME' }),
    ...listFlags,
  };
  static override parameters = { UserName: '--user' };

  async run(): Promise<void> {
    const { flags } = await this.parse(AccessKeyList);
    const session = this.open(flags);
    const ask = flags.user === undefined ? {} : { UserName: flags.user };
    const { accessKeys, rev } = await session.read('DescribeAccessKeys', ask);
    await session.show(accessKeyListing(accessKeys, { rev }));
  }
}
