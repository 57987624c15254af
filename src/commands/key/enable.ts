import { BaseCommand } from '../support/base-command.ts';
import { changeFlags, idArg } from '../support/flags.ts';

export class KeyEnable extends BaseCommand {
  static override summary = 'take what a disabled access key signs again';
  static override description = 'A key that was rotated is refused all the same when its time is over.';
  static override aliases = ['enable-key'];
  static override examples = [
    '<%= config.bin %> key enable AKIAIOSFODNN7EXAMPLE',
    '<%= config.bin %> key enable AKIAIOSFODNN7EXAMPLE --reason "laptop was found"',
  ];
  static override args = idArg('access key to enable');
  static override flags = { ...changeFlags };
  static override parameters = { AccessKeyId: 'ID' };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(KeyEnable);
    const session = this.open(flags);
    const { accessKey, operationId } = await session.change('UpdateAccessKey', {
      AccessKeyId: args.id,
      Status: 'Active',
    });
    session.output.message(`enabled the access key ${accessKey.accessKeyId} of ${accessKey.userName} (${operationId})`);
    await session.showValue({ accessKeyId: accessKey.accessKeyId, status: accessKey.status, operationId }, '');
  }
}
