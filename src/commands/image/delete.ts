import { Args } from '@oclif/core';
import { BaseCommand } from '../support/base-command.ts';
import { changeFlags } from '../support/flags.ts';

export class ImageDelete extends BaseCommand {
  static override summary = 'remove an image';
  static override description =
    'Nobody finds it any more, and its name is free; its bytes stay as long as an instance stands on them. One that is being made is given up. Refused for a kernel or ramdisk that another image of its project names.';
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
    const { imageId, operationId, usedBy } = await session.change('DeregisterImage', { ImageId: args.image });
    session.output.message(`removed the image ${imageId} (${operationId})`);
    if (usedBy !== undefined)
      session.output.message(`its bytes stay while something stands on them, such as ${usedBy}`);
    await session.showValue({ imageId, operationId, ...(usedBy === undefined ? {} : { usedBy }) }, '');
  }
}
