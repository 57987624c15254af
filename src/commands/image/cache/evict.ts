import { Args, Flags } from '@oclif/core';
import { humanBytes } from '../../../base/units.ts';
import { BaseCommand } from '../../support/base-command.ts';
import { changeFlags } from '../../support/flags.ts';
import { throwHostProblems } from '../../support/host-problems.ts';

export class ImageCacheEvict extends BaseCommand {
  static override summary = 'remove image files that nothing uses from hosts';
  static override description =
    'One that a disk on the host stands on, or an instance needs, is never removed: named, it is refused with what uses it. It comes again when an instance is started of it.';
  static override aliases = ['evict-image-cache'];
  static override examples = [
    '<%= config.bin %> image cache evict debian-11',
    '<%= config.bin %> image cache evict --all --host node1',
  ];
  static override args = {
    image: Args.string({ description: 'id or name of the image', ignoreStdin: true }),
  };
  static override flags = {
    all: Flags.boolean({ description: 'all that are not in use' }),
    host: Flags.string({ description: 'only from this host; may be repeated', helpValue: 'HOST', multiple: true }),
    ...changeFlags,
  };
  static override parameters = { ImageId: 'IMAGE', All: '--all', Hosts: '--host' };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(ImageCacheEvict);
    const session = this.open(flags);
    const { removed, problems, operationId } = await session.change('EvictImageCache', {
      ...(args.image === undefined ? {} : { ImageId: args.image }),
      ...(flags.all ? { All: true } : {}),
      ...(flags.host === undefined ? {} : { Hosts: flags.host }),
    });
    for (const { hostName, sha256, removedBytes } of removed) {
      const files = `removed ${sha256.length} file${sha256.length === 1 ? '' : 's'}, ${humanBytes(removedBytes)}`;
      const none = flags.all ? 'no file that is not in use' : 'does not have it';
      session.output.message(`${hostName}: ${sha256.length === 0 ? none : files}`);
    }
    await session.showValue({ removed, problems, operationId }, '');
    throwHostProblems(session, problems, removed.length);
  }
}
