import { Args, Flags } from '@oclif/core';
import { accessDetails } from '../../views/access.ts';
import { BaseCommand } from '../support/base-command.ts';
import { columnsFlag } from '../support/flags.ts';
import { ownerInput } from '../support/owner-flags.ts';

export class WhyDenied extends BaseCommand {
  static override summary = 'say which rule lets somebody call an operation, or does not';
  static override aliases = ['explain-denied'];
  static override examples = [
    '<%= config.bin %> why denied RunInstances',
    '<%= config.bin %> why denied CreateSecurityGroup --user anna --project lab',
  ];
  static override args = {
    operation: Args.string({
      description: 'name of the operation, as a refusal names it: RunInstances',
      required: true,
      ignoreStdin: true,
    }),
  };
  static override flags = {
    user: Flags.string({ description: 'who; default: you', helpValue: 'NAME' }),
    project: Flags.string({ description: "in which project; default the caller's own", helpValue: 'NAME' }),
    ...columnsFlag,
  };
  static override parameters = { Operation: 'OPERATION', UserName: '--user', ProjectId: '--project' };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(WhyDenied);
    const session = this.open(flags);
    const answer = await session.read('ExplainAccess', { Operation: args.operation, ...ownerInput(flags) });
    await session.showOne(accessDetails(answer));
  }
}
