import { Flags } from '@oclif/core';
import { imageCacheListing } from '../../../views/image-cache.ts';
import { BaseCommand } from '../../support/base-command.ts';
import { listFlags } from '../../support/flags.ts';
import { throwHostProblems } from '../../support/host-problems.ts';

export class ImageCacheList extends BaseCommand {
  static override summary = 'list the image files that hosts keep';
  static override description =
    'Each host is asked. A file is in use when a disk on the host stands on it, or an instance of its image is there.';
  static override aliases = ['list-image-cache'];
  static override examples = ['<%= config.bin %> image cache list', '<%= config.bin %> image cache list --host node1'];
  static override flags = {
    host: Flags.string({ description: 'only of this host; may be repeated', helpValue: 'HOST', multiple: true }),
    ...listFlags,
  };
  static override parameters = { Hosts: '--host' };

  async run(): Promise<void> {
    const { flags } = await this.parse(ImageCacheList);
    const session = this.open(flags);
    const hosts = flags.host === undefined ? {} : { Hosts: flags.host };
    const { images, transfers, failures, problems } = await session.read('DescribeImageCache', hosts);
    await session.show(imageCacheListing(images, { transfers, failures, problems }));
    throwHostProblems(session, problems, new Set(images.map(({ hostId }) => hostId)).size);
  }
}
