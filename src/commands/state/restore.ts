import { resolve } from 'node:path';
import { Args, Flags } from '@oclif/core';
import { CloudError } from '../../base/errors.ts';
import { BaseCommand } from '../support/base-command.ts';
import { loadWholeConfig } from '../support/load-config.ts';

export class StateRestore extends BaseCommand {
  static override summary = 'make a state folder of a backup';
  static override description =
    'For a machine whose state folder is empty; with --force what is there is moved into a folder replaced-TIME in it, never deleted. The backup is read to its end first: a damaged one changes nothing. No cloud may run. Nothing is done to hosts: what is there and not in the backup is listed by novactl maintain watch once the cloud is up.';
  static override aliases = ['restore-state'];
  static override examples = [
    '<%= config.bin %> state restore /mnt/usb/cloud.novactl',
    '<%= config.bin %> state restore cloud.novactl --force --yes',
  ];
  static override args = {
    file: Args.string({ description: 'backup to restore', required: true, ignoreStdin: true }),
  };
  static override flags = {
    force: Flags.boolean({ description: 'move a state that is there aside' }),
    plan: Flags.boolean({ description: 'only check the backup and say what would be done' }),
  };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(StateRestore);
    const session = this.open(flags);
    await session.mustBeLocal('state restore');
    const { config, warnings } = await loadWholeConfig(this.io, flags);
    for (const warning of warnings) session.output.warn(warning);
    if (config.store.engine !== 'file') {
      throw new CloudError('UnsupportedOperation', 'only a state in files can be restored (store.engine: file)');
    }
    const archive = resolve(args.file);
    const { stateDir } = config;
    const { verifyArchive } = await import('../../launch/verify-archive.ts');
    const { header, records } = await verifyArchive(archive);
    if (flags.plan) {
      session.output.message(
        `would restore ${records} records of ${header.cloudId} (revision ${header.rev}) to ${stateDir}`,
      );
      return;
    }
    if (flags.force) await session.confirm(`move what is in ${stateDir} aside and restore ${archive} there?`);
    const [{ restoreState }, { SystemRandom }] = await Promise.all([
      import('../../launch/restore-state.ts'),
      import('../../base/random.ts'),
    ]);
    const restored = await restoreState({
      ...{ archive, stateDir, force: flags.force },
      clock: this.io.clock,
      random: new SystemRandom(),
    });
    const { facts, rev, movedTo } = restored;
    if (movedTo !== undefined) session.output.message(`what was there is now in ${movedTo}`);
    session.output.message(`restored ${facts.records} records to ${stateDir}, each compared with the backup`);
    const { cloudId } = facts.header;
    await session.showValue(
      { stateDir, cloudId, records: facts.records, rev, ...(movedTo === undefined ? {} : { movedTo }) },
      '',
    );
    if (!facts.header.images) {
      session.output.hint('the bytes of images are not in the backup: those that no host has must be imported again');
    }
    session.output.hint('start it by: novactl up; then look by: novactl state diff, novactl maintain verify');
  }
}
