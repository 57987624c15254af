import { Flags } from '@oclif/core';
import { CloudError } from '../base/errors.ts';
import { BaseCommand } from './support/base-command.ts';

export class Dashboard extends BaseCommand {
  static override summary = 'watch and steer the cloud on the whole terminal';
  static override description =
    'Hosts, instances, operations and console logs, as they change. The keys are those of k9s: 1 to 4 and : for the screens, j and k or arrows to move, / to filter, d to describe, l for the log, s for ssh, t to terminate, esc to go back, ? for all of them, q to leave. Nothing is ended without a dialog, whose focus starts on Cancel. Needs a terminal, 60x20 or larger is best; --once needs none. The terminal is given back however it ends; started as novactl (not by node itself) also after kill -9.';
  static override examples = [
    '<%= config.bin %> dashboard',
    '<%= config.bin %> dashboard --read-only',
    '<%= config.bin %> dashboard --once',
  ];
  static override flags = {
    once: Flags.boolean({ description: 'print one snapshot as text and end' }),
    'read-only': Flags.boolean({ description: 'no keys that change something' }),
  };

  async run(): Promise<void> {
    const { flags } = await this.parse(Dashboard);
    const session = this.open(flags);
    if (flags.once) {
      const { printSnapshot } = await import('./support/dashboard-snapshot.ts');
      return printSnapshot(session);
    }
    const { stdin, stdout } = process;
    if (!stdin.isTTY || !stdout.isTTY || this.io.env['TERM'] === 'dumb') {
      throw new CloudError(
        'IncorrectState',
        'the dashboard needs a terminal that can move its cursor; without one use --once',
      );
    }
    const { openDashboard } = await import('./support/open-dashboard.ts');
    return openDashboard(session, { readOnly: flags['read-only'], stdin, stdout });
  }
}
