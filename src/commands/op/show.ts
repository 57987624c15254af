import { CloudError } from '../../base/errors.ts';
import { operationDetails } from '../../views/operations.ts';
import { BaseCommand } from '../support/base-command.ts';
import { columnsFlag, idArg } from '../support/flags.ts';

export class OpShow extends BaseCommand {
  static override summary = 'show an operation and its steps';
  static override aliases = ['show-op'];
  static override examples = [
    '<%= config.bin %> op show op-0123456789abcdef0',
    '<%= config.bin %> op show op-0123456789abcdef0 --output yaml',
  ];
  static override args = idArg('operation to show');
  static override flags = { ...columnsFlag };
  static override parameters = { OperationIds: 'ID' };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(OpShow);
    const session = this.open(flags);
    const [operation] = (await session.read('DescribeOperations', { OperationIds: [args.id] })).operations;
    if (operation === undefined)
      throw new CloudError('InvalidOperationID.NotFound', `there is no operation ${args.id}`);
    await session.showOne(operationDetails(operation, session.nowMs()));
    if (operation.status === 'running') session.output.hint(`follow it by: novactl op follow ${args.id}`);
  }
}
