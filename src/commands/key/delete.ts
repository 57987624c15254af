import { BaseCommand } from '../support/base-command.ts';
import { changeFlags, idArg } from '../support/flags.ts';

export class KeyDelete extends BaseCommand {
  static override summary = 'delete an access key';
  static override description =
    'What is signed with it is refused from then on; streams and consoles that it has open end within seconds.';
  static override aliases = ['delete-key'];
  static override hiddenAliases = ['access-key:delete', 'delete-access-key'];
  static override examples = [
    '<%= config.bin %> key delete AKIAIOSFODNN7EXAMPLE',
    '<%= config.bin %> key delete AKIAIOSFODNN7EXAMPLE --reason "lost laptop"',
  ];
  static override args = idArg('access key to delete');
  static override flags = { ...changeFlags };
  static override parameters = { AccessKeyId: 'ID' };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(KeyDelete);
    const session = this.open(flags);
    await session.confirm(`delete the access key ${args.id}?`);
    const { accessKeyId, operationId } = await session.change('DeleteAccessKey', { AccessKeyId: args.id });
    session.output.message(`deleted the access key ${accessKeyId} (${operationId})`);
    await session.showValue({ accessKeyId, operationId }, '');
  }
}
