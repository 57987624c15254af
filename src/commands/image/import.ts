import { Args, Flags } from '@oclif/core';
import { imageDetails } from '../../views/images.ts';
import { BaseCommand } from '../support/base-command.ts';
import { changeFlags, columnsFlag } from '../support/flags.ts';
import { uploadFile } from '../support/upload.ts';

const KINDS = ['machine', 'kernel', 'ramdisk'] as const;
const NO_BLOB = { blobKey: 'upload/blob-00000000000000000' };
const ARCHITECTURES = ['x86_64', 'arm64'] as const;

export class ImageImport extends BaseCommand {
  static override summary = 'upload an image and register it';
  static override description =
    'The cloud looks at the content itself: raw and qcow2 disks for machine images, kernels and ramdisks as they come.';
  static override aliases = ['import-image'];
  static override examples = [
    '<%= config.bin %> image import debian.qcow2 --name debian',
    '<%= config.bin %> image import vmlinuz --name my-kernel --kind kernel',
    '<%= config.bin %> image import debian.qcow2 --name debian-12 --id ami-0123456789abcdef0',
    '<%= config.bin %> image import root.img --name mine --kernel my-kernel --ramdisk my-ramdisk --kernel-args "console=ttyS0"',
  ];
  static override args = {
    file: Args.string({ description: 'file to upload, - for stdin', required: true, ignoreStdin: true }),
  };
  static override flags = {
    name: Flags.string({ char: 'n', description: 'name of the image', helpValue: 'NAME', required: true }),
    kind: Flags.option({ description: 'what it is', options: KINDS, default: 'machine' as const })(),
    arch: Flags.option({ description: 'processor it is for; found out when left out', options: ARCHITECTURES })(),
    kernel: Flags.string({ description: 'kernel image that a machine image boots', helpValue: 'IMAGE' }),
    ramdisk: Flags.string({ description: 'ramdisk image that a machine image boots', helpValue: 'IMAGE' }),
    'kernel-args': Flags.string({ description: 'words for the kernel', helpValue: 'TEXT' }),
    id: Flags.string({ description: 'id that it is to have, in place of a new one', helpValue: 'ami-ID' }),
    description: Flags.string({ description: 'what is told of it', helpValue: 'TEXT' }),
    'root-device': Flags.string({ description: 'name of its root device, as EC2 clients see it', helpValue: 'DEVICE' }),
    ...changeFlags,
    ...columnsFlag,
  };
  static override parameters = {
    Name: '--name',
    Kind: '--kind',
    BlobKey: 'FILE',
    Architecture: '--arch',
    KernelId: '--kernel',
    RamdiskId: '--ramdisk',
    KernelArgs: '--kernel-args',
    ImageId: '--id',
    Description: '--description',
    RootDeviceName: '--root-device',
  };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(ImageImport);
    const session = this.open(flags);
    // A dry run sends no bytes: the key only has to look like one.
    const { blobKey } = flags['dry-run'] ? NO_BLOB : await uploadFile(session, args.file, flags.name);
    const { image, operationId } = await session.change('RegisterImage', {
      Name: flags.name,
      Kind: flags.kind,
      BlobKey: blobKey,
      ...(flags.arch === undefined ? {} : { Architecture: flags.arch }),
      ...(flags.kernel === undefined ? {} : { KernelId: flags.kernel }),
      ...(flags.ramdisk === undefined ? {} : { RamdiskId: flags.ramdisk }),
      ...(flags['kernel-args'] === undefined ? {} : { KernelArgs: flags['kernel-args'] }),
      ...(flags.id === undefined ? {} : { ImageId: flags.id }),
      ...(flags.description === undefined ? {} : { Description: flags.description }),
      ...(flags['root-device'] === undefined ? {} : { RootDeviceName: flags['root-device'] }),
    });
    session.output.message(`registered the image ${image.name} as ${image.imageId} (${operationId})`);
    await session.showOne({ ...imageDetails(image, session.nowMs()), data: () => ({ image, operationId }) });
    if (image.kind === 'machine') session.output.hint(`start it by: novactl instance run --image ${image.name}`);
  }
}
