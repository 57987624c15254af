import { Args, Flags } from '@oclif/core';
import { keyPairListing } from '../../views/keys.ts';
import { BaseCommand } from '../support/base-command.ts';
import { changeFlags, columnsFlag } from '../support/flags.ts';
import { keyPath, reserveKeyFile } from '../support/key-files.ts';
import type { Session } from '../support/session.ts';

const KINDS = ['ed25519', 'rsa'] as const;

export class KeypairCreate extends BaseCommand {
  static override summary = 'make a key pair and keep its private half in a file';
  static override description =
    'The cloud answers the private half once and keeps it nowhere. It is written to ~/.config/novactl/keys/NAME.pem (mode 0600), where instance ssh finds it; a file that exists is never overwritten. --out - prints it instead.';
  static override aliases = ['create-keypair'];
  static override examples = [
    '<%= config.bin %> keypair create mine',
    '<%= config.bin %> keypair create backup --type rsa --out /root/backup.pem',
  ];
  static override args = {
    name: Args.string({ description: 'name of the key pair', required: true, ignoreStdin: true }),
  };
  static override flags = {
    type: Flags.option({ char: 't', description: 'kind of key', options: KINDS, default: 'ed25519' as const })(),
    out: Flags.string({ description: 'file for the private key, - for stdout', helpValue: 'FILE' }),
    ...changeFlags,
    ...columnsFlag,
  };
  static override parameters = { KeyName: 'NAME', KeyType: '--type' };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(KeypairCreate);
    const session = this.open(flags);
    const create = () => session.change('CreateKeyPair', { KeyName: args.name, KeyType: flags.type });
    if (flags.out === '-') {
      const { keyPair, keyMaterial, operationId } = await create();
      session.output.message(
        `made the key pair ${keyPair.keyName} (${operationId}); its private half is on stdout alone`,
      );
      session.output.data(keyMaterial);
      return;
    }
    await createInFile(session, flags.out ?? keyPath(this.io.env, args.name), create);
  }
}

type Create = () => Promise<Awaited<ReturnType<Session['change']>> & CreatedKey>;
interface CreatedKey {
  readonly keyPair: Parameters<typeof keyPairListing>[0][number];
  readonly keyMaterial: string;
  readonly operationId: string;
}

/** The file is made first: a private key that could not be kept would be lost. */
async function createInFile(session: Session, path: string, create: Create): Promise<void> {
  const file = reserveKeyFile(path);
  try {
    const { keyPair, keyMaterial, operationId } = await create();
    file.keep(keyMaterial);
    session.output.message(`made the key pair ${keyPair.keyName} (${operationId}); its private half is in ${path}`);
    await session.show(keyPairListing([keyPair], { privateKeyFile: path, operationId }));
    session.output.hint(`use it by: novactl instance run --image tiny --type m1.nano --key ${keyPair.keyName}`);
  } finally {
    file.dropIfEmpty();
  }
}
