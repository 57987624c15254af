import { hostname } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { Flags } from '@oclif/core';
import { CloudError } from '../../base/errors.ts';
import { BaseCommand } from '../support/base-command.ts';
import type { MaintenanceFile } from '../../launch/maintenance-files.ts';
import type { Session } from '../support/session.ts';

export class MaintainInstall extends BaseCommand {
  static override summary = 'let cron or systemd run the maintenance jobs';
  static override description =
    'Shows the files and asks before it writes them: /etc/cron.d/novactl, or units and timers in /etc/systemd/system. Watch runs each five minutes, reconcile each hour, backup and collect each night, verify each week. --config and --set are handed to the jobs. A file that was edited by hand is not written over without --force.';
  static override aliases = ['install-maintain'];
  static override examples = [
    '<%= config.bin %> maintain install --cron',
    '<%= config.bin %> maintain install --systemd --yes',
    '<%= config.bin %> maintain install --cron --remove',
  ];
  static override flags = {
    cron: Flags.boolean({ description: 'a file for cron', exactlyOne: ['cron', 'systemd'] }),
    systemd: Flags.boolean({ description: 'units and timers for systemd' }),
    remove: Flags.boolean({ description: 'take them away again' }),
    force: Flags.boolean({ description: 'also over a file that was edited by hand' }),
    plan: Flags.boolean({ description: 'only show the files' }),
    root: Flags.string({ description: 'write below this folder, for the image of a machine', helpValue: 'DIR' }),
  };

  async run(): Promise<void> {
    const { flags } = await this.parse(MaintainInstall);
    const session = this.open(flags);
    await session.mustBeLocal('maintain install');
    const { planInstall, applyInstall, runsSystemd, hasCron } = await import('../../launch/install-files.ts');
    const root = resolve(flags.root ?? '/');
    const steps = await planInstall(await this.#files(flags), { root, remove: flags.remove, force: flags.force });
    for (const { path, action, text } of steps) {
      session.output.message(`${action === 'keep' ? 'is there already' : action}: ${path}`);
      if (action === 'write') session.output.data(text);
    }
    if (flags.plan) return;
    const live = flags.systemd && root === '/' && runsSystemd();
    if (steps.every(({ action }) => action === 'keep' || action === 'absent')) {
      // The files may be there from an attempt that ended before its timers were on.
      if (live && !flags.remove) await this.#systemctl('enable', '--now');
      return;
    }
    await session.confirm(flags.remove ? 'remove them?' : 'write them?');
    await this.#around(live, flags.remove, () => applyInstall(steps));
    this.#sayMore(session, flags, { live, hasCron: hasCron() });
  }

  /** Timers end before their files go, and begin after they are there. */
  async #around(live: boolean, remove: boolean, change: () => Promise<void>): Promise<void> {
    if (live && remove) await this.#systemctl('disable', '--now');
    await change();
    if (live) await this.#systemctl('daemon-reload');
    if (live && !remove) await this.#systemctl('enable', '--now');
  }

  async #files(flags: {
    readonly cron: boolean;
    readonly config?: string | undefined;
    readonly set?: readonly string[] | undefined;
  }): Promise<MaintenanceFile[]> {
    const { cronFile, systemdFiles } = await import('../../launch/maintenance-files.ts');
    const plan = {
      novactl: this.#program(),
      words: [
        ...(flags.config === undefined ? [] : ['--config', resolve(flags.config)]),
        ...(flags.set ?? []).flatMap((word) => ['--set', word]),
      ],
      minute: [...hostname()].reduce((sum, letter) => (sum * 31 + (letter.codePointAt(0) ?? 0)) % 60, 7),
    };
    return flags.cron ? [cronFile(plan)] : systemdFiles(plan);
  }

  #sayMore(
    session: Session,
    flags: { cron: boolean; systemd: boolean; remove: boolean },
    here: { live: boolean; hasCron: boolean },
  ): void {
    if (flags.remove) return;
    if (flags.cron && !here.hasCron) session.output.warn('no cron is installed here that would read it (Debian: cron)');
    if (flags.systemd && !here.live) session.output.warn('systemd does not run here, so the timers are not enabled');
    session.output.hint('see how the jobs fare by: novactl maintain status');
  }

  /** bin/novactl beside the folder that this program was loaded from. */
  #program(): string {
    const script = this.io.self.at(-1) ?? '';
    const path = join(dirname(dirname(resolve(script))), 'bin', 'novactl');
    // Each program that reads these files has its own idea of quotes in the first word.
    if (/^[\w./+-]+$/.test(path)) return path;
    throw new CloudError(
      'UnsupportedOperation',
      `novactl is at ${path}: install it at a path of letters, digits and ./+-_`,
    );
  }

  async #systemctl(...verb: string[]): Promise<void> {
    const { timerNames } = await import('../../launch/maintenance-files.ts');
    const words = verb.length > 1 ? [...verb, ...timerNames()] : verb;
    const code = await this.io.exec('systemctl', words);
    if (code !== 0) throw new CloudError('HostError', `systemctl ${words.join(' ')} ended with ${code}`);
  }
}
