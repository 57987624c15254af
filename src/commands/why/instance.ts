import { explainDetails } from '../../views/explain.ts';
import { BaseCommand } from '../support/base-command.ts';
import { columnsFlag, idArg } from '../support/flags.ts';

export class WhyInstance extends BaseCommand {
  static override summary = 'say why an instance is in its state and what happens next';
  static override aliases = ['explain-instance'];
  static override examples = [
    '<%= config.bin %> why instance i-0123456789abcdef0',
    '<%= config.bin %> why instance i-0123456789abcdef0 --json',
  ];
  static override args = idArg('instance to explain');
  static override flags = { ...columnsFlag };
  static override parameters = { InstanceId: 'ID' };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(WhyInstance);
    const session = this.open(flags);
    const explanation = await session.read('ExplainInstance', { InstanceId: args.id });
    await session.showOne(explainDetails(explanation, session.nowMs()));
  }
}
