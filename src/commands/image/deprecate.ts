import { Args, Flags } from '@oclif/core';
import { isoTime } from '../../base/clock.ts';
import { CloudError } from '../../base/errors.ts';
import { imageDetails } from '../../views/images.ts';
import { BaseCommand } from '../support/base-command.ts';
import { changeFlags, columnsFlag } from '../support/flags.ts';

const TIME = /^\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2})?(Z|[+-]\d{2}:\d{2}))?$/;

export class ImageDeprecate extends BaseCommand {
  static override summary = 'say from when an image is deprecated';
  static override description =
    'From then on other projects find it only by its id or when they ask for deprecated ones. It can be started still.';
  static override aliases = ['deprecate-image'];
  static override examples = [
    '<%= config.bin %> image deprecate web-11 --at now',
    '<%= config.bin %> image deprecate web-12 --at 2030-01-31T12:00:00Z',
    '<%= config.bin %> image deprecate web-12 --off',
  ];
  static override args = {
    image: Args.string({ description: 'id or name of the image', required: true, ignoreStdin: true }),
  };
  static override flags = {
    at: Flags.string({
      description: 'from when on: now, a day, or a time with its zone',
      helpValue: 'TIME',
      exclusive: ['off'],
    }),
    off: Flags.boolean({ description: 'it is not deprecated any more, and will not be' }),
    ...changeFlags,
    ...columnsFlag,
  };
  static override parameters = { ImageId: 'IMAGE', DeprecateAt: '--at' };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(ImageDeprecate);
    if (flags.at === undefined && !flags.off)
      throw new CloudError('MissingParameter', 'from when is not said: give --at TIME, or --off');
    const session = this.open(flags);
    const ImageId = args.image;
    const { image, operationId } =
      flags.at === undefined
        ? await session.change('DisableImageDeprecation', { ImageId })
        : await session.change('EnableImageDeprecation', { ImageId, DeprecateAt: timeOf(flags.at, session.nowMs()) });
    session.output.message(`changed the image ${image.imageId} (${operationId})`);
    await session.showOne({ ...imageDetails(image, session.nowMs()), data: () => ({ image, operationId }) });
  }
}

/** A day begins at midnight, UTC. */
function timeOf(text: string, nowMs: number): string {
  const ms = text === 'now' ? nowMs : TIME.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isFinite(ms)) return isoTime(ms);
  throw new CloudError(
    'InvalidParameterValue',
    `--at must be now, a day like 2030-01-31 or a time like 2030-01-31T12:00:00Z, not ${JSON.stringify(text.slice(0, 64))}`,
  );
}
