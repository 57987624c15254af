import { resolve } from 'node:path';
import { Flags } from '@oclif/core';
import { BaseCommand } from '../support/base-command.ts';
import { jobFlags, runJob, sessionFlags } from '../support/run-job.ts';

export class MaintainBackup extends BaseCommand {
  static override summary = "write the cloud's state into one file, and prove it by reading it back";
  static override description =
    'All records of one moment, and the keys that the cloud made for itself, with mode 0600: keep it as you keep those. Without --to it goes into the folder backup.dir under a name of its time, and the newest backup.keep are kept. The file is written by the cloud, on its own machine. See novactl state restore.';
  static override aliases = ['backup-maintain'];
  static override examples = [
    '<%= config.bin %> maintain backup',
    '<%= config.bin %> maintain backup --to /mnt/usb/cloud.novactl --with-images',
  ];
  static override flags = {
    to: Flags.string({ description: 'file to write, which must not be there yet', helpValue: 'FILE' }),
    'without-secrets': Flags.boolean({ description: "leave out the cloud's own keys; they can't be made again" }),
    'with-images': Flags.boolean({ description: 'with the bytes of images' }),
    ...jobFlags,
  };
  static override parameters = { TimeoutMs: '--timeout', To: '--to' };

  async run(): Promise<number> {
    const { flags } = await this.parse(MaintainBackup);
    const session = this.open(sessionFlags(flags));
    const to = flags.to === undefined ? {} : { To: resolve(flags.to) };
    const input = { Secrets: !flags['without-secrets'], Images: flags['with-images'], ...to };
    return runJob(session, { Job: 'backup', ...input }, flags);
  }
}
