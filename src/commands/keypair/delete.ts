import { Args } from '@oclif/core';
import { BaseCommand } from '../support/base-command.ts';
import { changeFlags } from '../support/flags.ts';

export class KeypairDelete extends BaseCommand {
  static override summary = 'delete a key pair';
  static override description =
    'Instances that were started with it keep the public key, and the file of the private key stays where it is.';
  static override aliases = ['delete-keypair'];
  static override examples = [
    '<%= config.bin %> keypair delete mine',
    '<%= config.bin %> keypair delete mine --reason "lost laptop"',
  ];
  static override args = {
    name: Args.string({ description: 'key pair to delete', required: true, ignoreStdin: true }),
  };
  static override flags = { ...changeFlags };
  static override parameters = { KeyName: 'NAME' };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(KeypairDelete);
    const session = this.open(flags);
    const { keyName, operationId } = await session.change('DeleteKeyPair', { KeyName: args.name });
    session.output.message(`deleted the key pair ${keyName} (${operationId})`);
    await session.showValue({ keyName, operationId }, '');
  }
}
