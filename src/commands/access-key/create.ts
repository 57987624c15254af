import { Flags } from '@oclif/core';
import { BaseCommand } from '../support/base-command.ts';
import { changeFlags } from '../support/flags.ts';
import { reserveKeyFile } from '../support/key-files.ts';

export class AccessKeyCreate extends BaseCommand {
  static override summary = 'make an access key for requests over the network';
  static override description =
    "The secret is answered once and can't be asked for again. It goes to stdout, or to a file by --out (mode 0600, never overwritten). The first key of the user admin was made with the cloud, and is answered to who asks first.";
  static override aliases = ['create-access-key'];
  static override examples = [
    '<%= config.bin %> access-key create --out /root/ci.key',
    '<%= config.bin %> access-key create --user admin --json',
  ];
  static override flags = {
    user: Flags.string({ description: 'whose key', default: 'admin', helpValue: 'NAME' }),
    out: Flags.string({ description: 'file for the secret; default stdout', helpValue: 'FILE' }),
    ...changeFlags,
  };
  static override parameters = { UserName: '--user' };

  async run(): Promise<void> {
    const { flags } = await this.parse(AccessKeyCreate);
    const session = this.open(flags);
    const file = flags.out === undefined ? undefined : reserveKeyFile(flags.out);
    try {
      const made = await session.change('CreateAccessKey', { UserName: flags.user });
      const { accessKeyId } = made.accessKey;
      file?.keep(made.secretAccessKey);
      const where =
        flags.out === undefined
          ? 'its secret is on stdout alone, and is not shown again'
          : `its secret is in ${flags.out}`;
      session.output.message(
        `the access key ${accessKeyId} of ${made.accessKey.userName} (${made.operationId}): ${where}`,
      );
      const shown = { accessKeyId, region: made.region, operationId: made.operationId };
      if (flags.out === undefined) {
        const { secretAccessKey } = made;
        await session.showValue({ ...shown, secretAccessKey }, `${accessKeyId} ${secretAccessKey}`);
      } else await session.showValue(shown, accessKeyId);
    } finally {
      file?.dropIfEmpty();
    }
  }
}
