import { operationDetails } from '../../views/operations.ts';
import { BaseCommand } from '../support/base-command.ts';
import { columnsFlag, duration, idArg } from '../support/flags.ts';
import { followOperation, operationError } from '../support/wait.ts';

const DAY_MS = 86_400_000;

export class OpFollow extends BaseCommand {
  static override summary = 'follow an operation until it ends';
  static override description =
    'Says each step on stderr and prints the record at the end. A failed operation ends it with the exit code of its error.';
  static override aliases = ['follow-op'];
  static override examples = [
    '<%= config.bin %> op follow op-0123456789abcdef0',
    '<%= config.bin %> op follow op-0123456789abcdef0 --timeout 5m --quiet --json',
  ];
  static override args = idArg('operation to follow');
  static override flags = {
    timeout: duration('timeout', { description: 'longest wait', default: DAY_MS, defaultText: '24h' }),
    ...columnsFlag,
  };
  static override parameters = { OperationId: 'ID' };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(OpFollow);
    const session = this.open(flags);
    const operation = await followOperation(session, args.id, flags.timeout);
    await session.showOne(operationDetails(operation, session.nowMs()));
    const failed = operationError(operation);
    if (failed !== undefined) throw failed;
  }
}
