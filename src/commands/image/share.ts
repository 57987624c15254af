import { Args, Flags } from '@oclif/core';
import { CloudError } from '../../base/errors.ts';
import { imageDetails } from '../../views/images.ts';
import { BaseCommand } from '../support/base-command.ts';
import { changeFlags, columnsFlag } from '../support/flags.ts';

export class ImageShare extends BaseCommand {
  static override summary = 'say who else may start an image';
  static override description =
    'Projects that it is shared with see the image and may start it; nobody but its own project may change it. Instances that run stay when a permission is taken back.';
  static override aliases = ['share-image'];
  static override examples = [
    '<%= config.bin %> image share web --with shop --with lab',
    '<%= config.bin %> image share web --public',
    '<%= config.bin %> image share web --with lab --remove',
  ];
  static override args = {
    image: Args.string({ description: 'id or name of the image', required: true, ignoreStdin: true }),
  };
  static override flags = {
    with: Flags.string({
      description: 'project that may start it; may be repeated',
      helpValue: 'PROJECT',
      multiple: true,
      multipleNonGreedy: true,
    }),
    public: Flags.boolean({ description: 'every project may start it' }),
    remove: Flags.boolean({ description: 'take the permission back' }),
    ...changeFlags,
    ...columnsFlag,
  };
  static override parameters = {
    ImageId: 'IMAGE',
    AddProjects: '--with',
    RemoveProjects: '--with',
    Public: '--public',
  };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(ImageShare);
    const projects = flags.with ?? [];
    if (projects.length === 0 && !flags.public)
      throw new CloudError('MissingParameter', 'with whom is not said: give --with PROJECT or --public');
    const session = this.open(flags);
    const { image, operationId } = await session.change('ModifyImageAttribute', {
      ImageId: args.image,
      ...(flags.public ? { Public: !flags.remove } : {}),
      ...(projects.length === 0 ? {} : { [flags.remove ? 'RemoveProjects' : 'AddProjects']: projects }),
    });
    session.output.message(`changed who may start the image ${image.imageId} (${operationId})`);
    await session.showOne({ ...imageDetails(image, session.nowMs()), data: () => ({ image, operationId }) });
  }
}
