import { contextListing } from '../../views/contexts.ts';
import { BaseCommand } from '../support/base-command.ts';
import { contextViews } from '../support/context-view.ts';
import { readContexts } from '../support/contexts.ts';
import { listFlags } from '../support/flags.ts';

export class ContextList extends BaseCommand {
  static override summary = 'list the clouds that this user knows';
  static override aliases = ['list-context'];
  static override examples = ['<%= config.bin %> context list', '<%= config.bin %> context list --output wide'];
  static override flags = { ...listFlags };

  async run(): Promise<void> {
    const { flags } = await this.parse(ContextList);
    const session = this.open(flags);
    await session.show(contextListing(await contextViews(await readContexts(this.io.env))));
  }
}
