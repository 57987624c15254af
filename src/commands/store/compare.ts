import { resolve } from 'node:path';
import { Args, Flags } from '@oclif/core';
import { CloudError } from '../../base/errors.ts';
import { ERROR_TABLE } from '../../base/error-codes.ts';
import { differenceListing } from '../../views/store.ts';
import { BaseCommand } from '../support/base-command.ts';
import { listFlags } from '../support/flags.ts';
import { stoppedStore, otherConfig } from '../support/stopped-store.ts';

export class StoreCompare extends BaseCommand {
  static override summary = 'say which records differ between the store and an export or another store';
  static override description =
    'Lists keys with another value, keys that are missing in the other one, and keys that only the other one has. Nothing of the cloud may run. Ends with exit code 0 when all is equal, 5 when something differs.';
  static override aliases = ['compare-store'];
  static override examples = [
    '<%= config.bin %> store compare /root/cloud.export',
    '<%= config.bin %> store compare --with /etc/novactl/etcd.yaml',
  ];
  static override args = {
    file: Args.string({ description: 'file that novactl store export wrote', ignoreStdin: true }),
  };
  static override flags = {
    with: Flags.string({ description: 'configuration file of the other store', helpValue: 'FILE' }),
    ...listFlags,
  };

  async run(): Promise<number> {
    const { args, flags } = await this.parse(StoreCompare);
    const session = this.open(flags);
    if ((args.file === undefined) === (flags.with === undefined)) {
      throw new CloudError(
        'InvalidParameterCombination',
        'name one other side: FILE, or --with FILE of a configuration',
      );
    }
    const options = await stoppedStore(session, 'store compare');
    const other =
      args.file === undefined
        ? { config: await otherConfig(session, resolve(flags.with ?? '')) }
        : { file: resolve(args.file) };
    const { compareStores } = await import('../../launch/store-tools/compare-stores.ts');
    const comparison = await compareStores({ ...options, with: other });
    await session.show(differenceListing(comparison));
    const { equal, left, right, differ, missing, extra } = comparison;
    const counts = `${differ.length} differ, ${missing.length} are missing there, ${extra.length} are only there`;
    session.output.message(equal ? `all ${left} records are equal` : `of ${left} and ${right} records: ${counts}`);
    return equal ? 0 : ERROR_TABLE.Conflict.exit;
  }
}
