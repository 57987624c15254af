import { resolve } from 'node:path';
import { Args } from '@oclif/core';
import { archiveDetails } from '../../views/archive.ts';
import { BaseCommand } from '../support/base-command.ts';
import { columnsFlag } from '../support/flags.ts';

export class StateVerify extends BaseCommand {
  static override summary = 'read a backup to its end and check every byte';
  static override description =
    'Says what is in it. A damaged one is named with the place of the damage, and ends it with exit code 1. No cloud is needed.';
  static override aliases = ['verify-state'];
  static override examples = [
    '<%= config.bin %> state verify /var/lib/novactl/backups/state-20260102T030405Z-rev12.novactl',
    '<%= config.bin %> state verify cloud.novactl --json',
  ];
  static override args = {
    file: Args.string({ description: 'backup to read', required: true, ignoreStdin: true }),
  };
  static override flags = { ...columnsFlag };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(StateVerify);
    const session = this.open(flags);
    const { verifyArchive } = await import('../../launch/verify-archive.ts');
    const facts = await verifyArchive(resolve(args.file));
    await session.showOne(archiveDetails(facts));
    session.output.message('every byte of it is as it was written');
  }
}
