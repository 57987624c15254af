import { BaseCommand } from '../support/base-command.ts';
import { changeFlags } from '../support/flags.ts';

export class MaintainResume extends BaseCommand {
  static override summary = 'let maintenance jobs run again';
  static override aliases = ['resume-maintain'];
  static override examples = ['<%= config.bin %> maintain resume', '<%= config.bin %> maintain resume --json'];
  static override flags = { ...changeFlags };

  async run(): Promise<void> {
    const { flags } = await this.parse(MaintainResume);
    const session = this.open(flags);
    const { wasPaused, operationId } = await session.change('ResumeMaintenance', {});
    session.output.message(wasPaused ? `maintenance goes on (${operationId})` : 'maintenance was not paused');
    await session.showValue({ wasPaused, operationId }, '');
  }
}
