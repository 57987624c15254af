import { resolve } from 'node:path';
import { Args, Flags } from '@oclif/core';
import { BaseCommand } from '../support/base-command.ts';
import { stoppedStore } from '../support/stopped-store.ts';

export class StoreExport extends BaseCommand {
  static override summary = "write all records of the cloud's store into one file";
  static override description =
    'For moving a cloud from files to etcd or back, while nothing of it runs. The file is text, has mode 0600 and carries checksums of every line. Image bytes and the keys that the cloud made for itself are not in it: the end says which folders they are in. See novactl store import.';
  static override aliases = ['export-store'];
  static override examples = [
    '<%= config.bin %> store export /root/cloud.export',
    '<%= config.bin %> store export /root/rescue.export --offline',
  ];
  static override args = {
    file: Args.string({ description: 'file to write, which must not be there yet', required: true, ignoreStdin: true }),
  };
  static override flags = {
    offline: Flags.boolean({ description: 'from the copy that this machine keeps, without asking the store' }),
  };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(StoreExport);
    const session = this.open(flags);
    const options = await stoppedStore(session, 'store export');
    const { exportStore } = await import('../../launch/store-tools/export-store.ts');
    const path = resolve(args.file);
    const written = await exportStore({ ...options, path, version: this.config.version, offline: flags.offline });
    const { head, end, alsoCopy } = written;
    session.output.message(`wrote ${end.records} records of ${head.cloudId} (revision ${head.rev}) to ${path}`);
    const { cloudId, rev, counts } = head;
    await session.showValue({ path, cloudId, rev, records: end.records, counts, sha256: end.sha256, alsoCopy }, '');
    if (flags.offline)
      session.output.warn('the copy is as old as the last time when a process of this machine wrote it');
    for (const { what, path: place } of alsoCopy)
      session.output.hint(`not in it, copy it yourself: ${what} in ${place}`);
  }
}
