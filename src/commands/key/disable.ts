import { BaseCommand } from '../support/base-command.ts';
import { changeFlags, idArg } from '../support/flags.ts';

export class KeyDisable extends BaseCommand {
  static override summary = 'refuse what an access key signs, until it is enabled again';
  static override description =
    'It is refused from the next request on; streams and consoles that it has open end within seconds.';
  static override aliases = ['disable-key'];
  static override examples = [
    '<%= config.bin %> key disable AKIAIOSFODNN7EXAMPLE',
    '<%= config.bin %> key disable AKIAIOSFODNN7EXAMPLE --reason "it may be in a log"',
  ];
  static override args = idArg('access key to disable');
  static override flags = { ...changeFlags };
  static override parameters = { AccessKeyId: 'ID' };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(KeyDisable);
    const session = this.open(flags);
    const { accessKey, operationId } = await session.change('UpdateAccessKey', {
      AccessKeyId: args.id,
      Status: 'Inactive',
    });
    session.output.message(
      `disabled the access key ${accessKey.accessKeyId} of ${accessKey.userName} (${operationId})`,
    );
    await session.showValue({ accessKeyId: accessKey.accessKeyId, status: accessKey.status, operationId }, '');
  }
}
