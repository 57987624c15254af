import { BaseCommand } from '../support/base-command.ts';
import { changeInstances } from '../support/change-instances.ts';
import { changeFlags, columnsFlag, idsArg, waitFlags } from '../support/flags.ts';

export class InstanceStart extends BaseCommand {
  static override summary = 'start stopped instances';
  static override description =
    'An instance starts on the host that it was on, with its disks, its address and its name.';
  static override aliases = ['start-instance'];
  static override examples = [
    '<%= config.bin %> instance start i-0123456789abcdef0',
    '<%= config.bin %> instance start i-0123456789abcdef0 --wait --timeout 5m',
  ];
  static override args = idsArg('instances to start');
  static override flags = {
    ...waitFlags('they run'),
    ...changeFlags,
    ...columnsFlag,
  };
  static override parameters = { InstanceIds: 'ID', InstanceId: 'ID' };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(InstanceStart);
    const session = this.open(flags);
    await changeInstances(session, {
      name: 'StartInstances',
      doing: 'starting',
      ids: args.id,
      wait: flags.wait,
      timeoutMs: flags.timeout,
      until: 'running',
    });
  }
}
