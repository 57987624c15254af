import { Flags } from '@oclif/core';
import { accessKeyListing } from '../../views/access-keys.ts';
import { BaseCommand } from '../support/base-command.ts';
import { listFlags } from '../support/flags.ts';
import { ownerInput, ownerParameters } from '../support/owner-flags.ts';

export class KeyList extends BaseCommand {
  static override summary = 'list access keys';
  static override aliases = ['list-key'];
  static override hiddenAliases = ['access-key:list', 'list-access-key'];
  static override examples = [
    '<%= config.bin %> key list',
    '<%= config.bin %> key list --user admin --project lab --output wide',
  ];
  static override flags = {
    user: Flags.string({ description: 'only keys of this user', helpValue: 'NAME' }),
    project: Flags.string({ description: 'only keys that work in this project', helpValue: 'NAME' }),
    ...listFlags,
  };
  static override parameters = ownerParameters;

  async run(): Promise<void> {
    const { flags } = await this.parse(KeyList);
    const session = this.open(flags);
    const { accessKeys, rev } = await session.read('DescribeAccessKeys', ownerInput(flags));
    await session.show(accessKeyListing(accessKeys, { rev }));
  }
}
