import { Flags } from '@oclif/core';
import { certificateListing } from '../../views/certificates.ts';
import { BaseCommand } from '../support/base-command.ts';
import { listFlags } from '../support/flags.ts';

export class CertificateList extends BaseCommand {
  static override summary = 'list certificates of users';
  static override description =
    "Those that project credentials made: one's own, for a cloudadmin all. One that is over is forgotten by the next maintain collect, or when the daemon keeps house.";
  static override aliases = ['list-certificate'];
  static override examples = [
    '<%= config.bin %> certificate list',
    '<%= config.bin %> certificate list --user anna --output wide',
  ];
  static override flags = {
    user: Flags.string({ description: 'only those of this user', helpValue: 'NAME' }),
    ...listFlags,
  };
  static override parameters = { UserName: '--user' };

  async run(): Promise<void> {
    const { flags } = await this.parse(CertificateList);
    const session = this.open(flags);
    const input = flags.user === undefined ? {} : { UserName: flags.user };
    const { userCertificates, rev } = await session.read('DescribeUserCertificates', input);
    await session.show(certificateListing(userCertificates, { rev }));
  }
}
