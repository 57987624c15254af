import { keyPairListing } from '../../views/keys.ts';
import { BaseCommand } from '../support/base-command.ts';
import { listFlags } from '../support/flags.ts';

export class KeypairList extends BaseCommand {
  static override summary = 'list key pairs';
  static override aliases = ['list-keypair'];
  static override examples = [
    '<%= config.bin %> keypair list',
    '<%= config.bin %> keypair list --filter type=ed25519 --output name',
  ];
  static override flags = { ...listFlags };

  async run(): Promise<void> {
    const { flags } = await this.parse(KeypairList);
    const session = this.open(flags);
    const { keyPairs, rev } = await session.read('DescribeKeyPairs', {});
    await session.show(keyPairListing(keyPairs, { rev }));
  }
}
