import { Args } from '@oclif/core';
import { contextDetails } from '../../views/contexts.ts';
import { BaseCommand } from '../support/base-command.ts';
import { contextViews } from '../support/context-view.ts';
import { entryOf, LOCAL_CONTEXT, readContexts } from '../support/contexts.ts';
import { columnsFlag } from '../support/flags.ts';

export class ContextShow extends BaseCommand {
  static override summary = 'show a context, without its secret';
  static override aliases = ['show-context'];
  static override examples = ['<%= config.bin %> context show', '<%= config.bin %> context show prod --json'];
  static override args = {
    name: Args.string({ description: 'context to show; default the current one', ignoreStdin: true }),
  };
  static override flags = { ...columnsFlag };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(ContextShow);
    const session = this.open(flags);
    const file = await readContexts(this.io.env);
    const name = args.name ?? flags.context ?? (this.io.env['NOVACTL_CONTEXT'] || file.current) ?? LOCAL_CONTEXT;
    if (name !== LOCAL_CONTEXT) entryOf(file, name);
    const row = (await contextViews(file)).find((one) => one.name === name);
    if (row !== undefined) await session.showOne(contextDetails(row));
  }
}
