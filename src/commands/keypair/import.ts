import { Args, Flags } from '@oclif/core';
import { keyPairListing } from '../../views/keys.ts';
import { BaseCommand } from '../support/base-command.ts';
import { changeFlags, columnsFlag } from '../support/flags.ts';
import { readInput } from '../support/user-data.ts';

export class KeypairImport extends BaseCommand {
  static override summary = 'register a public key that exists';
  static override aliases = ['import-keypair'];
  static override examples = [
    '<%= config.bin %> keypair import mine --public-key ~/.ssh/id_ed25519.pub',
    'ssh-add -L | head -1 | <%= config.bin %> keypair import agent --public-key -',
  ];
  static override args = {
    name: Args.string({ description: 'name of the key pair', required: true, ignoreStdin: true }),
  };
  static override flags = {
    'public-key': Flags.string({
      description: 'file with one line in the form of OpenSSH, - for stdin',
      helpValue: 'FILE',
      required: true,
    }),
    ...changeFlags,
    ...columnsFlag,
  };
  static override parameters = { KeyName: 'NAME', PublicKeyMaterial: '--public-key' };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(KeypairImport);
    const session = this.open(flags);
    const text = (await readInput(this.io, '--public-key', flags['public-key'])).toString('utf8').trim();
    const { keyPair, operationId } = await session.change('ImportKeyPair', {
      KeyName: args.name,
      PublicKeyMaterial: text,
    });
    session.output.message(`registered the key pair ${keyPair.keyName} (${operationId})`);
    await session.show(keyPairListing([keyPair], { operationId }));
    session.output.hint(`use it by: novactl instance run --image tiny --type m1.nano --key ${keyPair.keyName}`);
  }
}
