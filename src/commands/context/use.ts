import { Args } from '@oclif/core';
import { BaseCommand } from '../support/base-command.ts';
import { entryOf, LOCAL_CONTEXT, readContexts, writeContexts } from '../support/contexts.ts';

export class ContextUse extends BaseCommand {
  static override summary = 'choose the cloud that commands work with';
  static override description =
    'It holds until the next choice; --context and NOVACTL_CONTEXT choose for one command. The context local is this machine.';
  static override aliases = ['use-context'];
  static override examples = ['<%= config.bin %> context use prod', '<%= config.bin %> context use local'];
  static override args = {
    name: Args.string({ description: 'context to use', required: true, ignoreStdin: true }),
  };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(ContextUse);
    const session = this.open(flags);
    const { contexts, ...file } = await readContexts(this.io.env);
    const { name } = args;
    if (name !== LOCAL_CONTEXT) entryOf({ contexts }, name);
    if (name !== (file.current ?? LOCAL_CONTEXT)) {
      await writeContexts(this.io.env, { current: name, contexts }, this.io.unique);
    }
    session.output.message(`commands work with ${name === LOCAL_CONTEXT ? 'this machine' : name} now`);
    await session.showValue({ name }, '');
  }
}
