import { Args, Flags } from '@oclif/core';
import { imageDetails } from '../../views/images.ts';
import { BaseCommand } from '../support/base-command.ts';
import { changeFlags, columnsFlag, noWaitFlags } from '../support/flags.ts';
import { untilMade } from '../support/wait-for-image.ts';

export class ImageCreate extends BaseCommand {
  static override summary = "make an image of an instance's disk";
  static override description =
    'A stopped instance is read as it is. A running one is paused while its disk is copied and is not rebooted: what its programs had not written yet is as after a power cut, so stop it first where that matters. Waits until the image is made; --no-wait answers as soon as it is recorded.';
  static override aliases = ['create-image'];
  static override examples = [
    '<%= config.bin %> image create i-0123456789abcdef0 --name golden',
    '<%= config.bin %> image create i-0123456789abcdef0 --name before-upgrade --description "web 12.3" --no-wait',
  ];
  static override args = {
    instance: Args.string({ description: 'instance to make it of', required: true, ignoreStdin: true }),
  };
  static override flags = {
    name: Flags.string({ char: 'n', description: 'name of the image', helpValue: 'NAME', required: true }),
    description: Flags.string({ description: 'what is told of it', helpValue: 'TEXT' }),
    ...noWaitFlags('it is made', 3_600_000, '1h'),
    ...changeFlags,
    ...columnsFlag,
  };
  static override parameters = { InstanceId: 'INSTANCE', Name: '--name', Description: '--description' };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(ImageCreate);
    const session = this.open(flags);
    const { image, operationId } = await session.change('CreateImage', {
      InstanceId: args.instance,
      Name: flags.name,
      ...(flags.description === undefined ? {} : { Description: flags.description }),
    });
    const made = await untilMade(session, { image, operationId }, flags);
    await session.showOne({ ...imageDetails(made, session.nowMs()), data: () => ({ image: made, operationId }) });
  }
}
