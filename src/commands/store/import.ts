import { resolve } from 'node:path';
import { Args } from '@oclif/core';
import { BaseCommand } from '../support/base-command.ts';
import { stoppedStore } from '../support/stopped-store.ts';

export class StoreImport extends BaseCommand {
  static override summary = 'fill an empty store with the records of an export';
  static override description =
    'The file is read to its end first: a damaged one changes nothing. The store that the configuration names must hold no record, and nothing of the cloud may run. Until all records are there and compared, no cloud starts on it; when it was cut off, do it again with the same file.';
  static override aliases = ['import-store'];
  static override examples = [
    '<%= config.bin %> store import /root/cloud.export',
    '<%= config.bin %> store import /root/cloud.export --config /etc/novactl/etcd.yaml',
  ];
  static override args = {
    file: Args.string({ description: 'file that novactl store export wrote', required: true, ignoreStdin: true }),
  };
  static override flags = {};

  async run(): Promise<void> {
    const { args, flags } = await this.parse(StoreImport);
    const session = this.open(flags);
    const { output } = session;
    const options = await stoppedStore(session, 'store import');
    const { importStore } = await import('../../launch/store-tools/import-store.ts');
    const path = resolve(args.file);
    const imported = await importStore({
      ...options,
      path,
      onProgress: (done, of) => output.progress(`importing: ${done} of ${of} records`),
    });
    output.progress('');
    const { head, written, found, rev } = imported;
    if (found > 0) output.message(`${found} records were there already, of an import that was cut off`);
    const { engine } = options.config.store;
    output.message(`wrote ${written} records of ${head.cloudId} to ${engine}, each compared with the file`);
    await session.showValue({ path, engine, cloudId: head.cloudId, written, found, rev }, '');
    output.hint('the keys that the cloud made and the bytes of images are not in it: copy those folders too');
    output.hint(
      engine === 'etcd'
        ? 'start every process of the cloud by: novactl up; then look by: novactl service list, novactl maintain verify'
        : 'start it by: novactl up; then look by: novactl maintain verify',
    );
  }
}
