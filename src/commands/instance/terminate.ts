import { BaseCommand } from '../support/base-command.ts';
import { changeInstances } from '../support/change-instances.ts';
import { changeFlags, columnsFlag, idsArg, waitFlags } from '../support/flags.ts';

export class InstanceTerminate extends BaseCommand {
  static override summary = 'end instances and delete their disks';
  static override description =
    'This can not be undone. A terminated instance stays visible for an hour. At a terminal it asks before it ends more than one, unless --yes is given.';
  static override aliases = ['terminate-instance'];
  static override examples = [
    '<%= config.bin %> instance terminate i-0123456789abcdef0',
    '<%= config.bin %> instance terminate i-0123456789abcdef0 i-0123456789abcdef1 --yes --wait',
  ];
  static override args = idsArg('instances to terminate');
  static override flags = {
    ...waitFlags('they are gone'),
    ...changeFlags,
    ...columnsFlag,
  };
  static override parameters = { InstanceIds: 'ID', InstanceId: 'ID' };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(InstanceTerminate);
    const session = this.open(flags);
    if (args.id.length > 1) await session.confirm(`terminate ${args.id.length} instances and delete their disks?`);
    await changeInstances(session, {
      name: 'TerminateInstances',
      doing: 'terminating',
      ids: args.id,
      wait: flags.wait,
      timeoutMs: flags.timeout,
      until: 'terminated',
    });
  }
}
