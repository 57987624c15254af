import { resolve } from 'node:path';
import { Args, Flags } from '@oclif/core';
import { CloudError } from '../../base/errors.ts';
import { verifiedDetails } from '../../views/store.ts';
import { BaseCommand } from '../support/base-command.ts';
import { columnsFlag } from '../support/flags.ts';
import { stoppedStore } from '../support/stopped-store.ts';

export class StoreVerify extends BaseCommand {
  static override summary = 'look whether an export, or the store, is sound';
  static override description =
    'Of an export every byte is checked; of the store that the configuration names, all records are read while nothing of the cloud runs, and with etcd each server is asked. Then the records are compared with each other. Ends with exit code 1 when something is wrong. Changes nothing.';
  static override aliases = ['verify-store'];
  static override examples = [
    '<%= config.bin %> store verify',
    '<%= config.bin %> store verify /root/cloud.export',
    '<%= config.bin %> store verify --offline --json',
  ];
  static override args = {
    file: Args.string({ description: 'file that novactl store export wrote; default: the store', ignoreStdin: true }),
  };
  static override flags = {
    offline: Flags.boolean({ description: 'read the copy that this machine keeps, without asking the store' }),
    ...columnsFlag,
  };

  async run(): Promise<number> {
    const { args, flags } = await this.parse(StoreVerify);
    const session = this.open(flags);
    if (args.file !== undefined && flags.offline) {
      throw new CloudError('InvalidParameterCombination', '--offline is for the store; FILE is read as it is');
    }
    const { verifyExport, verifyStore } = await import('../../launch/store-tools/verify-store.ts');
    const verified =
      args.file === undefined
        ? await verifyStore({ ...(await stoppedStore(session, 'store verify')), offline: flags.offline })
        : await verifyExport(resolve(args.file));
    await session.showOne(verifiedDetails(verified));
    const { problems } = verified;
    if (problems.length === 0) session.output.message(`${verified.records} records, and they agree`);
    else session.output.warn(`${problems.length} things do not add up`);
    return problems.length === 0 ? 0 : 1;
  }
}
