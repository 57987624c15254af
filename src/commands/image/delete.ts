import { Args } from '@oclif/core';
import { BaseCommand } from '../support/base-command.ts';
import { changeFlags } from '../support/flags.ts';

export class ImageDelete extends BaseCommand {
  static override summary = 'remove an image';
  static override description = 'Refused while an instance or another image needs it.';
  static override aliases = ['delete-image'];
  static override examples = [
    '<%= config.bin %> image delete tiny',
    '<%= config.bin %> image delete ami-0123456789abcdef0 --reason "too old"',
  ];
  static override args = {
    image: Args.string({ description: 'id or name of the image', required: true, ignoreStdin: true }),
  };
  static override flags = { ...changeFlags };
  static override parameters = { ImageId: 'IMAGE' };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(ImageDelete);
    const session = this.open(flags);
    const { imageId, operationId } = await session.change('DeregisterImage', { ImageId: args.image });
    session.output.message(`removed the image ${imageId} (${operationId})`);
    await session.showValue({ imageId, operationId }, '');
  }
}
