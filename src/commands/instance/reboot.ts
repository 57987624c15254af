import { Flags } from '@oclif/core';
import { BaseCommand } from '../support/base-command.ts';
import { changeInstances } from '../support/change-instances.ts';
import { changeFlags, columnsFlag, idsArg, waitFlags } from '../support/flags.ts';

export class InstanceReboot extends BaseCommand {
  static override summary = 'reboot instances';
  static override description =
    'The guest is asked to switch off and is started again; one that does not switch off is reset. One call reboots it once at most. A reset whose answer was lost is not repeated: the reboot then fails as PartlyDone, and whether it happened is not known.';
  static override aliases = ['reboot-instance'];
  static override examples = [
    '<%= config.bin %> instance reboot i-0123456789abcdef0',
    '<%= config.bin %> instance reboot i-0123456789abcdef0 --force --wait',
  ];
  static override args = idsArg('instances to reboot');
  static override flags = {
    force: Flags.boolean({ description: 'reset at once' }),
    ...waitFlags('the reboot is done'),
    ...changeFlags,
    ...columnsFlag,
  };
  static override parameters = { InstanceIds: 'ID', InstanceId: 'ID', Force: '--force' };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(InstanceReboot);
    const session = this.open(flags);
    await changeInstances(session, {
      name: 'RebootInstances',
      doing: 'rebooting',
      ids: args.id,
      force: flags.force,
      wait: flags.wait,
      timeoutMs: flags.timeout,
    });
  }
}
