import { roleListing } from '../../views/access.ts';
import { BaseCommand } from '../support/base-command.ts';
import { listFlags } from '../support/flags.ts';
import { ownerInput } from '../support/owner-flags.ts';
import { Flags } from '@oclif/core';

export class RoleList extends BaseCommand {
  static override summary = 'list who has which role';
  static override description =
    'A cloudadmin may do everything everywhere; itsec cuts off what endangers others; sysadmin has instances, images and volumes; netadmin addresses, security groups and networks; developer instances and keys.';
  static override aliases = ['list-role'];
  static override examples = [
    '<%= config.bin %> role list',
    '<%= config.bin %> role list --project lab --output csv',
    '<%= config.bin %> role list --user anna',
  ];
  static override flags = {
    project: Flags.string({ description: 'only roles in this project', helpValue: 'NAME' }),
    user: Flags.string({ description: 'only roles of this user', helpValue: 'NAME' }),
    ...listFlags,
  };
  static override parameters = { ProjectId: '--project', UserName: '--user' };

  async run(): Promise<void> {
    const { flags } = await this.parse(RoleList);
    const session = this.open(flags);
    const { roles, rev } = await session.read('DescribeRoles', ownerInput(flags));
    await session.show(roleListing(roles, { rev }));
  }
}
