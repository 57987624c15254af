import { Flags } from '@oclif/core';
import { BaseCommand } from '../support/base-command.ts';
import { changeInstances } from '../support/change-instances.ts';
import { changeFlags, columnsFlag, idsArg, waitFlags } from '../support/flags.ts';

export class InstanceStop extends BaseCommand {
  static override summary = 'stop instances';
  static override description =
    'The guest is asked to shut down, and switched off when it has not after a while. Disks and address stay.';
  static override aliases = ['stop-instance'];
  static override examples = [
    '<%= config.bin %> instance stop i-0123456789abcdef0',
    '<%= config.bin %> instance stop i-0123456789abcdef0 --wait --reason "new memory"',
  ];
  static override args = idsArg('instances to stop');
  static override flags = {
    force: Flags.boolean({ description: 'switch off at once, as pulling the plug does' }),
    ...waitFlags('they are stopped'),
    ...changeFlags,
    ...columnsFlag,
  };
  static override parameters = { InstanceIds: 'ID', InstanceId: 'ID', Force: '--force' };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(InstanceStop);
    const session = this.open(flags);
    await changeInstances(session, {
      name: 'StopInstances',
      doing: 'stopping',
      ids: args.id,
      force: flags.force,
      wait: flags.wait,
      timeoutMs: flags.timeout,
      until: 'stopped',
    });
  }
}
