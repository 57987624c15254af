import { instanceDetails } from '../../views/instances.ts';
import { CloudError } from '../../base/errors.ts';
import { BaseCommand } from '../support/base-command.ts';
import { describeInstances } from '../support/describe.ts';
import { columnsFlag, idArg } from '../support/flags.ts';

export class InstanceShow extends BaseCommand {
  static override summary = 'show an instance';
  static override aliases = ['show-instance'];
  static override examples = [
    '<%= config.bin %> instance show i-0123456789abcdef0',
    '<%= config.bin %> instance show i-0123456789abcdef0 --output yaml',
  ];
  static override args = idArg('instance to show');
  static override flags = { ...columnsFlag };
  static override parameters = { InstanceIds: 'ID', InstanceId: 'ID' };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(InstanceShow);
    const session = this.open(flags);
    const [instance] = (await describeInstances(session, { ids: [args.id], all: true })).instances;
    if (instance === undefined) throw new CloudError('InvalidInstanceID.NotFound', `there is no instance ${args.id}`);
    await session.showOne(instanceDetails(instance, session.nowMs()));
    if (instance.state !== 'running')
      session.output.hint(`why it is ${instance.state}: novactl why instance ${args.id}`);
  }
}
