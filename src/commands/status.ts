import { ERROR_TABLE } from '../base/error-codes.ts';
import { cloudDetails } from '../views/cloud.ts';
import { BaseCommand } from './support/base-command.ts';
import type { Readiness } from '../messages/readiness.ts';
import { columnsFlag } from './support/flags.ts';
import { runningProcess, showProcess } from './support/running-process.ts';
import type { Session } from './support/session.ts';

export class Status extends BaseCommand {
  static override summary = 'say how the cloud is';
  static override description =
    'Without a daemon it shows the cloud as it is recorded. Where a process without the api role runs it shows that process. Ends with exit code 7 when nothing runs, or that process is not ready.';
  static override examples = ['<%= config.bin %> status', '<%= config.bin %> status --json'];
  static override flags = { ...columnsFlag };

  async run(): Promise<number> {
    const { flags } = await this.parse(Status);
    const session = this.open(flags);
    const process = await this.#processAlone(session);
    if (process !== undefined) {
      await showProcess(session, process);
      return process.ready ? 0 : ERROR_TABLE.Unavailable.exit;
    }
    const cloud = await session.read('DescribeCloud', {});
    await session.showOne(cloudDetails(cloud));
    if (cloud.roles.length > 0) return 0;
    session.output.message('nothing runs: this is what is recorded, and hosts were not looked at');
    session.output.hint('start it by: novactl up');
    return ERROR_TABLE.Unavailable.exit;
  }

  /** What runs on this machine where that is not the api role, so that nobody can be asked for the whole cloud. */
  async #processAlone(session: Session): Promise<Readiness | undefined> {
    if ((await session.elsewhere()) !== undefined) return undefined;
    const process = await runningProcess(session);
    return process?.process.roles.includes('api') === true ? undefined : process;
  }
}
