import { Args } from '@oclif/core';
import { BaseCommand } from '../support/base-command.ts';
import { changeFlags } from '../support/flags.ts';

export class CertificateRevoke extends BaseCommand {
  static override summary = 'revoke a certificate of a user';
  static override description =
    'Nothing that is signed with it is taken from then on. A certificate lets nobody in by itself: the access keys that project credentials made beside it are ended by key delete. It stays listed as revoked until it would be over.';
  static override aliases = ['revoke-certificate'];
  static override examples = ['<%= config.bin %> certificate revoke 0A1B2C3D4E5F60718293 --reason "lost laptop"'];
  static override args = {
    serial: Args.string({ description: 'serial number of the certificate', required: true, ignoreStdin: true }),
  };
  static override flags = { ...changeFlags };
  static override parameters = { Serial: 'SERIAL' };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(CertificateRevoke);
    const session = this.open(flags);
    const serial = args.serial.toUpperCase();
    await session.confirm(`revoke the certificate ${serial}?`);
    const { userCertificate, operationId } = await session.change('DeleteUserCertificate', { Serial: serial });
    session.output.message(`revoked the certificate ${serial} of ${userCertificate.userName} (${operationId})`);
    await session.showValue({ serial, operationId }, '');
  }
}
