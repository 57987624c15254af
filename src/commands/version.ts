import { isCode } from '../base/errors.ts';
import { BaseCommand } from './support/base-command.ts';
import { columnsFlag } from './support/flags.ts';
import { runningCloud } from './support/running-cloud.ts';
import type { Session } from './support/session.ts';

export class Version extends BaseCommand {
  static override summary = 'print the version, and that of the cloud that runs';
  static override examples = ['<%= config.bin %> version', '<%= config.bin %> version --json'];
  static override flags = { ...columnsFlag };

  async run(): Promise<void> {
    const { flags } = await this.parse(Version);
    const session = this.open(flags);
    const cloud = await cloudVersion(session);
    const value = {
      novactl: this.config.version,
      node: process.versions.node,
      platform: `${process.platform}-${process.arch}`,
      ...(cloud === undefined ? {} : { cloud }),
    };
    const lines = Object.entries(value).map(([name, text]) => `${name} ${text}\n`);
    await session.showValue(value, lines.join(''));
    if (cloud !== undefined && cloud !== value.novactl) {
      session.output.warn(`the cloud runs ${cloud}; restart it by: novactl down, then novactl up`);
    }
  }
}

/** Of a cloud that runs: what is recorded here has no version of its own. */
async function cloudVersion(session: Session): Promise<string | undefined> {
  try {
    if ((await session.elsewhere()) === undefined) return (await runningCloud(session))?.version;
    return (await session.read('DescribeCloud', {})).version;
  } catch (error) {
    if (isCode(error, 'Unavailable', 'OperationNotPermitted')) return undefined;
    throw error;
  }
}
