import { Flags } from '@oclif/core';
import { imageListing } from '../../views/images.ts';
import { BaseCommand } from '../support/base-command.ts';
import { listFlags } from '../support/flags.ts';

export class ImageList extends BaseCommand {
  static override summary = 'list images';
  static override aliases = ['list-image'];
  static override examples = [
    '<%= config.bin %> image list',
    '<%= config.bin %> image list --filter kind=machine --output wide',
  ];
  static override flags = {
    deprecated: Flags.boolean({ description: 'also deprecated images of other projects' }),
    ...listFlags,
  };

  async run(): Promise<void> {
    const { flags } = await this.parse(ImageList);
    const session = this.open(flags);
    const { images, rev } = await session.read('DescribeImages', {
      ...(flags.deprecated ? { IncludeDeprecated: true } : {}),
    });
    await session.show(imageListing(images, { rev }));
  }
}
