import { Flags } from '@oclif/core';
import { join } from 'node:path';
import { CloudError } from '../../base/errors.ts';
import { parseCloudUrl } from '../../client/cloud-url.ts';
import { BaseCommand } from '../support/base-command.ts';
import { readIfThere } from '../support/dirs.ts';
import { loadWholeConfig } from '../support/load-config.ts';

export class ContextExport extends BaseCommand {
  static override summary = 'print what another machine needs to work with this cloud';
  static override description =
    "Runs on the cloud's own machine. Every call gives out an access key of its own (the first one the key that was made with the cloud), so that each machine's can be deleted alone. What is printed holds the secret: pipe it to novactl context add NAME --from -.";
  static override aliases = ['export-context'];
  static override examples = [
    '<%= config.bin %> context export > laptop.context',
    '<%= config.bin %> context export --url https://cloud.example:8774 --reason "laptop of the night shift"',
  ];
  static override flags = {
    url: Flags.string({ description: 'address for clients; default from api.listen', helpValue: 'URL' }),
    user: Flags.string({ description: 'in whose name', default: 'admin', helpValue: 'NAME' }),
  };
  static override parameters = { UserName: '--user' };

  async run(): Promise<void> {
    const { flags } = await this.parse(ContextExport);
    const session = this.open(flags);
    await session.mustBeLocal('context export');
    const { config } = await loadWholeConfig(this.io, flags);
    const { publicUrl } = await import('../../launch/admin-https.ts');
    const url = flags.url ?? publicUrl(config);
    if (url === undefined) {
      throw new CloudError(
        'IncorrectState',
        'the admin API listens nowhere: set api.listen in the configuration and restart the cloud, or name an address by --url',
      );
    }
    parseCloudUrl(url, flags.url === undefined ? 'api.listen' : '--url');
    const { stateDir } = await session.read('DescribeCloud', {});
    const folder = config.secretsDir || stateDir;
    const ca = readIfThere(join(folder, 'tls', 'ca.pem'));
    if (ca === undefined) {
      throw new CloudError(
        'IncorrectState',
        `${folder}/tls/ca.pem is missing; it is made when the cloud starts: novactl up`,
      );
    }
    const made = await session.change('CreateAccessKey', { UserName: flags.user });
    const { accessKeyId } = made.accessKey;
    session.output.message(
      `the access key ${accessKeyId} goes out (${made.operationId}); what follows on stdout is a secret`,
    );
    const entry = { url, region: made.region, accessKeyId, secretAccessKey: made.secretAccessKey, ca };
    const { stringify } = await import('../support/yaml.ts');
    session.output.data(session.format === 'json' ? JSON.stringify(entry, undefined, 2) : stringify(entry));
  }
}
