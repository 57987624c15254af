import { Args, Flags } from '@oclif/core';
import { BaseCommand } from '../support/base-command.ts';
import { gatherContext } from '../support/gather-context.ts';
import { CloudError } from '../../base/errors.ts';
import { LOCAL_CONTEXT, readContexts, writeContexts } from '../support/contexts.ts';
import { httpsClientOf } from '../support/https-client-of.ts';

export class ContextAdd extends BaseCommand {
  static override summary = 'learn of a cloud elsewhere';
  static override description =
    "The cloud must listen at api.listen. Its authority is pinned: by its certificate, or by the certificate's SHA-256 fingerprint, which the cloud's log has. The cloud is asked once before the context is kept in ~/.config/novactl/contexts.yaml (mode 0600).";
  static override aliases = ['add-context'];
  static override examples = [
    'ssh root@cloud.example novactl context export | <%= config.bin %> context add prod --from -',
    '<%= config.bin %> context add prod --url https://cloud.example:8774 --access-key AKIAIOSFODNN7EXAMPLE --secret-file key --ca ca.pem',
  ];
  static override args = {
    name: Args.string({ description: 'what to call it here', required: true, ignoreStdin: true }),
  };
  static override flags = {
    from: Flags.string({
      description: 'what novactl context export printed there, - for stdin',
      helpValue: 'FILE',
      exclusive: ['url', 'access-key', 'secret-file', 'secret-stdin', 'ca', 'ca-stdin', 'region'],
    }),
    url: Flags.string({ description: 'https://HOST:PORT of the cloud', helpValue: 'URL' }),
    'access-key': Flags.string({ description: 'id of the access key', helpValue: 'ID' }),
    'secret-file': Flags.string({ description: 'file with the secret of the key', helpValue: 'FILE' }),
    'secret-stdin': Flags.boolean({
      description: 'read the secret from stdin',
      exclusive: ['secret-file', 'ca-stdin'],
    }),
    ca: Flags.string({ description: "file with the authority's certificate", helpValue: 'FILE' }),
    'ca-stdin': Flags.boolean({ description: "read the authority's certificate from stdin", exclusive: ['ca'] }),
    fingerprint: Flags.string({
      description: "SHA-256 of the authority's certificate, to be compared",
      helpValue: 'SHA256',
    }),
    region: Flags.string({ description: 'region that requests are signed for; default nova', helpValue: 'REGION' }),
    'no-check': Flags.boolean({ description: 'keep it without asking the cloud' }),
  };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(ContextAdd);
    const session = this.open(flags);
    const { name } = args;
    if (!/^[a-z0-9][a-z0-9._-]{0,62}$/i.test(name) || name === LOCAL_CONTEXT) {
      const allowed = '1 to 63 letters, digits, ".", "_" or "-", starting with a letter or digit, and not local';
      throw new CloudError('InvalidParameterValue', `NAME must be ${allowed}, not "${name}"`);
    }
    const file = await readContexts(this.io.env);
    if (Object.hasOwn(file.contexts, name)) {
      throw new CloudError(
        'AlreadyExists',
        `there is a context ${name} already; forget it by: novactl context remove ${name}`,
      );
    }
    const cloud = await gatherContext(this.io, name, flags);
    if (!flags['no-check']) {
      const client = await httpsClientOf(cloud, this.io, session.output);
      const { cloudId } = await client.call('DescribeCloud', {}, { signal: this.io.signal, timeoutMs: 30_000 });
      session.output.detail(`${cloud.url} is ${cloudId}`);
    }
    const { name: _, ...entry } = cloud;
    await writeContexts(this.io.env, { ...file, contexts: { ...file.contexts, [name]: entry } }, this.io.unique);
    session.output.message(`added the context ${name}: ${cloud.url}`);
    session.output.hint(`use it by: novactl context use ${name}`);
    await session.showValue({ name, url: cloud.url, accessKeyId: cloud.accessKeyId, region: cloud.region }, '');
  }
}
