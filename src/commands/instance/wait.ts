import { Flags } from '@oclif/core';
import { instanceListing } from '../../views/instances.ts';
import { BaseCommand } from '../support/base-command.ts';
import { columnsFlag, duration, idsArg } from '../support/flags.ts';
import { waitForInstances } from '../support/wait.ts';

const STATES = ['running', 'stopped', 'terminated'] as const;

export class InstanceWait extends BaseCommand {
  static override summary = 'wait until instances are in a state';
  static override description =
    'Ends at once with exit code 11 when one of them can not get there any more, and with 8 when the time is over.';
  static override aliases = ['wait-instance'];
  static override examples = [
    '<%= config.bin %> instance wait i-0123456789abcdef0 --for running',
    '<%= config.bin %> instance wait i-0123456789abcdef0 i-0123456789abcdef1 --for terminated --timeout 2m',
  ];
  static override args = idsArg('instances to wait for');
  static override flags = {
    for: Flags.option({ description: 'state to wait for', options: STATES, required: true })(),
    timeout: duration('timeout', { description: 'longest wait', default: 600_000, defaultText: '10m' }),
    ...columnsFlag,
  };
  static override parameters = { InstanceIds: 'ID', InstanceId: 'ID', Until: '--for' };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(InstanceWait);
    const session = this.open(flags);
    const instances = await waitForInstances(session, args.id, [flags.for], flags.timeout);
    await session.show({ ...instanceListing(instances), empty: '' });
  }
}
