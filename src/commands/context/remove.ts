import { Args } from '@oclif/core';
import { BaseCommand } from '../support/base-command.ts';
import { entryOf, readContexts, writeContexts } from '../support/contexts.ts';

export class ContextRemove extends BaseCommand {
  static override summary = 'forget a context';
  static override description = 'Its access key stays good until it is deleted: novactl key delete.';
  static override aliases = ['remove-context'];
  static override examples = ['<%= config.bin %> context remove prod', '<%= config.bin %> context remove prod --yes'];
  static override args = {
    name: Args.string({ description: 'context to forget', required: true, ignoreStdin: true }),
  };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(ContextRemove);
    const session = this.open(flags);
    const file = await readContexts(this.io.env);
    const { name } = args;
    const { accessKeyId } = entryOf(file, name);
    await session.confirm(`forget the context ${name}?`);
    const contexts = Object.fromEntries(Object.entries(file.contexts).filter(([one]) => one !== name));
    const current = file.current === name ? undefined : file.current;
    await writeContexts(this.io.env, { ...(current === undefined ? {} : { current }), contexts }, this.io.unique);
    session.output.message(`forgot the context ${name}`);
    if (typeof accessKeyId === 'string') {
      session.output.hint(`its key is still good; end that there by: novactl key delete ${accessKeyId}`);
    }
    await session.showValue({ name }, '');
  }
}
