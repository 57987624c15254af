import { Args } from '@oclif/core';
import { CloudError } from '../../base/errors.ts';
import { imageDetails } from '../../views/images.ts';
import { BaseCommand } from '../support/base-command.ts';
import { columnsFlag } from '../support/flags.ts';

export class ImageShow extends BaseCommand {
  static override summary = 'show an image';
  static override aliases = ['show-image'];
  static override examples = ['<%= config.bin %> image show tiny', '<%= config.bin %> image show tiny --output json'];
  static override args = {
    image: Args.string({ description: 'id or name of the image', required: true, ignoreStdin: true }),
  };
  static override flags = { ...columnsFlag };
  static override parameters = { ImageIds: 'IMAGE' };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(ImageShow);
    const session = this.open(flags);
    const [image] = (await session.read('DescribeImages', { ImageIds: [args.image] })).images;
    if (image === undefined)
      throw new CloudError('InvalidAMIID.NotFound', `there is no image ${args.image}; see "novactl image list"`);
    await session.showOne(imageDetails(image, session.nowMs()));
  }
}
