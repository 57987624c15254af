import { Args, Flags } from '@oclif/core';
import { imageDetails } from '../../views/images.ts';
import { BaseCommand } from '../support/base-command.ts';
import { changeFlags, columnsFlag, noWaitFlags } from '../support/flags.ts';
import type { Session } from '../support/session.ts';
import { uploadFile } from '../support/upload.ts';
import { untilMade } from '../support/wait-for-image.ts';

const KINDS = ['machine', 'kernel', 'ramdisk'] as const;
const NO_BLOB = { blobKey: 'upload/blob-00000000000000000' };
const ARCHITECTURES = ['x86_64', 'arm64'] as const;

export class ImageImport extends BaseCommand {
  static override summary = 'register an image of a file, an object or a bundle';
  static override description =
    'The cloud looks at the content itself: raw, qcow2 and vmdk disks for machine images, kernels and ramdisks as they come. FILE is sent; of s3://BUCKET/KEY and of an EC2 bundle, BUCKET/NAME.manifest.xml, the cloud reads the object itself, as whoever asks may read it. What has to be read or converted is waited for; --no-wait answers as soon as it is recorded.';
  static override aliases = ['import-image'];
  static override examples = [
    '<%= config.bin %> image import debian.qcow2 --name debian',
    '<%= config.bin %> image import s3://disks/debian.vmdk --name debian --no-wait',
    '<%= config.bin %> image import bundles/web.manifest.xml --name web',
    '<%= config.bin %> image import vmlinuz --name my-kernel --kind kernel',
    '<%= config.bin %> image import debian.qcow2 --name debian-12 --id ami-0123456789abcdef0',
    '<%= config.bin %> image import root.img --name mine --kernel my-kernel --ramdisk my-ramdisk --kernel-args "console=ttyS0"',
  ];
  static override args = {
    file: Args.string({
      description: 'file to upload, - for stdin, s3://BUCKET/KEY or BUCKET/NAME.manifest.xml',
      required: true,
      ignoreStdin: true,
    }),
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
    ...noWaitFlags('it is available', 86_400_000, '24h'),
    ...changeFlags,
    ...columnsFlag,
  };
  static override parameters = {
    Name: '--name',
    Kind: '--kind',
    BlobKey: 'FILE',
    Location: 'FILE',
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
    const { image, operationId } = await session.change('RegisterImage', {
      Name: flags.name,
      Kind: flags.kind,
      ...(await this.#source(session, args.file, flags)),
      ...said(flags),
    });
    const made = await untilMade(session, { image, operationId }, flags);
    await session.showOne({ ...imageDetails(made, session.nowMs()), data: () => ({ image: made, operationId }) });
    if (made.state !== 'pending' && made.kind === 'machine')
      session.output.hint(`start it by: novactl instance run --image ${made.name}`);
  }

  /** A dry run sends no bytes: the key only has to look like one. */
  async #source(
    session: Session,
    file: string,
    flags: { readonly name: string; readonly 'dry-run': boolean },
  ): Promise<{ BlobKey: string } | { Location: string }> {
    if (file.startsWith('s3://')) return { Location: file.slice('s3://'.length) };
    if (file.endsWith('.manifest.xml')) return { Location: file };
    const { blobKey } = flags['dry-run'] ? NO_BLOB : await uploadFile(session, file, flags.name);
    return { BlobKey: blobKey };
  }
}

/** What was said of the image, in the words of the operation. */
function said(flags: {
  readonly arch?: (typeof ARCHITECTURES)[number] | undefined;
  readonly kernel?: string | undefined;
  readonly ramdisk?: string | undefined;
  readonly 'kernel-args'?: string | undefined;
  readonly id?: string | undefined;
  readonly description?: string | undefined;
  readonly 'root-device'?: string | undefined;
}) {
  return {
    ...(flags.arch === undefined ? {} : { Architecture: flags.arch }),
    ...(flags.kernel === undefined ? {} : { KernelId: flags.kernel }),
    ...(flags.ramdisk === undefined ? {} : { RamdiskId: flags.ramdisk }),
    ...(flags['kernel-args'] === undefined ? {} : { KernelArgs: flags['kernel-args'] }),
    ...(flags.id === undefined ? {} : { ImageId: flags.id }),
    ...(flags.description === undefined ? {} : { Description: flags.description }),
    ...(flags['root-device'] === undefined ? {} : { RootDeviceName: flags['root-device'] }),
  };
}
