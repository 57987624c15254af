import { Args, Flags } from '@oclif/core';
import { CloudError } from '../../base/errors.ts';
import { humanDuration } from '../../base/units.ts';
import { BaseCommand } from '../support/base-command.ts';
import { duration } from '../support/flags.ts';
import { objectName } from '../support/s3/object-words.ts';
import { s3Of } from '../support/s3/s3-of.ts';

const MAX_MS = 7 * 24 * 3_600_000;

export class ObjectShare extends BaseCommand {
  static override summary = 'print an address by which anybody may get an object';
  static override description =
    'Whoever has the address may get the object until it expires, without a key: it is signed with one of yours, and ends when that key does. The administrator of the machine signs with the key that --key-id names, else with the first active one of the user admin. With --put the address is for putting an object there.';
  static override aliases = ['share-object'];
  static override examples = [
    '<%= config.bin %> object share backups/backup.tar',
    '<%= config.bin %> object share www/video.mp4 --expires 24h',
    '<%= config.bin %> object share inbox/report.pdf --put --expires 30m',
  ];
  static override args = {
    object: Args.string({ description: 'BUCKET/KEY', required: true, ignoreStdin: true }),
  };
  static override flags = {
    expires: duration('expires', {
      description: 'how long it is good for, at most 168h',
      default: 3_600_000,
      defaultText: '1h',
    }),
    put: Flags.boolean({ description: 'an address for putting it there' }),
    'key-id': Flags.string({ description: 'access key to sign with', helpValue: 'AKIA...' }),
    version: Flags.string({ description: 'this version of it', helpValue: 'ID', exclusive: ['put'] }),
  };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(ObjectShare);
    const session = this.open(flags);
    const { bucket, key } = objectName(args.object);
    if (flags.expires < 1000 || flags.expires > MAX_MS) {
      const given = humanDuration(flags.expires);
      throw new CloudError('InvalidParameterValue', `--expires must be 1s to 168h (7 days), not ${given}`);
    }
    const shared = await (
      await s3Of(session)
    ).presign(bucket, key, {
      method: flags.put ? 'PUT' : 'GET',
      expiresSeconds: Math.floor(flags.expires / 1000),
      keyId: flags['key-id'],
      versionId: flags.version,
    });
    await session.showValue({ ...shared, bucket, key, method: flags.put ? 'PUT' : 'GET' }, `${shared.url}\n`);
  }
}
