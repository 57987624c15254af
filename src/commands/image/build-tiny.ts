import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Flags } from '@oclif/core';
import { userDirs } from '../../base/user-dirs.ts';
import type { OperationInput } from '../../messages/operations/index.ts';
import { imageDetails, type ImageView } from '../../views/images.ts';
import { BaseCommand } from '../support/base-command.ts';
import { columnsFlag } from '../support/flags.ts';
import type { Session } from '../support/session.ts';
import { uploadFile } from '../support/upload.ts';

const NAME = 'tiny';
/** Children last: an image that another one needs can't be removed. */
const ALL = [NAME, 'tiny-kernel', 'tiny-ramdisk'];

export class ImageBuildTiny extends BaseCommand {
  static override summary = "make a small test image from Debian's packages and register it";
  static override description =
    'Takes a kernel, busybox and dropbear of this Debian and makes the images tiny, tiny-kernel and tiny-ramdisk of them. Nothing is done when there is a tiny already, unless --force is given.';
  static override aliases = ['build-tiny-image'];
  static override examples = ['<%= config.bin %> image build-tiny', '<%= config.bin %> image build-tiny --force'];
  static override flags = {
    force: Flags.boolean({ description: 'build again and replace the images that there are' }),
    ...columnsFlag,
  };

  async run(): Promise<void> {
    const { flags } = await this.parse(ImageBuildTiny);
    const session = this.open(flags);
    const there = await tinyImages(session);
    const tiny = there.find((image) => image.name === NAME);
    if (tiny !== undefined && !flags.force) {
      session.output.message(`the image ${NAME} exists already (${tiny.imageId}); --force builds it again`);
      return this.#show(session, tiny);
    }
    const outDir = mkdtempSync(join(tmpdir(), 'novactl-tiny-'));
    try {
      const image = await buildAndRegister(session, outDir, there);
      session.output.message(`registered the image ${NAME} as ${image.imageId}`);
      await this.#show(session, image);
      session.output.hint(`start it by: novactl instance run --image ${NAME} --type m1.nano`);
    } finally {
      rmSync(outDir, { recursive: true, force: true });
    }
  }

  async #show(session: Session, image: ImageView): Promise<void> {
    await session.showOne({ ...imageDetails(image, session.nowMs()), data: () => ({ image }) });
  }
}

/** What there is of the tiny image, in the order in which it can be removed. An interrupted build leaves a part. */
async function tinyImages(session: Session): Promise<ImageView[]> {
  const { images } = await session.read('DescribeImages', {});
  return ALL.flatMap((name) => images.filter((image) => image.name === name && image.state === 'available'));
}

async function buildAndRegister(session: Session, outDir: string, there: readonly ImageView[]): Promise<ImageView> {
  const { io, output } = session;
  const { buildTinyImage } = await import('../../launch/tiny-image/build-tiny.ts');
  const built = await buildTinyImage({
    outDir,
    cacheDir: join(userDirs(io.env).cacheDir, 'tiny-image'),
    clock: io.clock,
    onStep: (text) => output.message(text),
    signal: io.signal,
  });
  for (const { imageId, name } of there) {
    await session.change('DeregisterImage', { ImageId: imageId });
    output.message(`removed the image ${name} (${imageId})`);
  }
  const { architecture: Architecture } = built;
  const kernel = await register(session, built.kernelPath, { Name: 'tiny-kernel', Kind: 'kernel', Architecture });
  const ramdisk = await register(session, built.ramdiskPath, { Name: 'tiny-ramdisk', Kind: 'ramdisk', Architecture });
  return register(session, built.rootDiskPath, {
    Name: NAME,
    Kind: 'machine',
    Architecture,
    KernelId: kernel.imageId,
    RamdiskId: ramdisk.imageId,
    KernelArgs: built.kernelArgs,
  });
}

type Registration = Omit<OperationInput<'RegisterImage'>, 'BlobKey'>;

async function register(session: Session, path: string, registration: Registration): Promise<ImageView> {
  const { blobKey } = await uploadFile(session, path, registration.Name);
  return (await session.change('RegisterImage', { ...registration, BlobKey: blobKey })).image;
}
