import { Flags } from '@oclif/core';
import { isoTime } from '../../base/clock.ts';
import { CloudError } from '../../base/errors.ts';
import { parseDurationMs } from '../../base/units.ts';
import { BaseCommand } from '../support/base-command.ts';
import { changeFlags } from '../support/flags.ts';

export class MaintainPause extends BaseCommand {
  static override summary = 'let no maintenance job run for a time';
  static override description =
    'Jobs that are asked for meanwhile end with exit code 22. One that runs already goes on. What the daemon itself does is not paused.';
  static override aliases = ['pause-maintain'];
  static override examples = [
    '<%= config.bin %> maintain pause --for 2h --reason "new switches"',
    '<%= config.bin %> maintain pause',
  ];
  static override flags = {
    for: Flags.string({ description: 'for how long; until it is resumed by default', helpValue: 'DURATION' }),
    ...changeFlags,
  };
  static override parameters = { ForMs: '--for' };

  async run(): Promise<void> {
    const { flags } = await this.parse(MaintainPause);
    const forMs = flags.for === undefined ? undefined : parseDurationMs(flags.for);
    if (flags.for !== undefined && forMs === undefined) {
      throw new CloudError('InvalidParameterValue', `--for must be a time like 30s, 5m or 2h, not "${flags.for}"`);
    }
    const session = this.open(flags);
    const { untilMs, operationId } = await session.change('PauseMaintenance', {
      ...(forMs === undefined ? {} : { ForMs: forMs }),
      ...(flags.reason === undefined ? {} : { Reason: flags.reason }),
    });
    const until = untilMs === undefined ? 'until it is resumed' : `until ${isoTime(untilMs)}`;
    session.output.message(`maintenance is paused ${until} (${operationId})`);
    await session.showValue({ operationId, ...(untilMs === undefined ? {} : { untilMs }) }, '');
  }
}
