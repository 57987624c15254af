import { readFileSync } from 'node:fs';
import { Flags } from '@oclif/core';
import { CloudError, errorText } from '../../base/errors.ts';
import { BaseCommand } from '../support/base-command.ts';
import { changeFlags } from '../support/flags.ts';
import { reserveKeyFile } from '../support/key-files.ts';
import { ownerInput } from '../support/owner-flags.ts';
import { showSecretKey } from '../support/show-secret-key.ts';

export class KeyCreate extends BaseCommand {
  static override summary = 'make an access key for requests over the network';
  static override description =
    "The secret is answered once and can't be asked for again. It goes to stdout, or to a file by --out (mode 0600, never overwritten). The first key of the user admin was made with the cloud, and is answered to who asks first. A pair that others know already (for test pipelines) is set by --access-key with --secret-file, by a cloudadmin.";
  static override aliases = ['create-key'];
  static override hiddenAliases = ['access-key:create', 'create-access-key'];
  static override examples = [
    '<%= config.bin %> key create --out /root/ci.key',
    '<%= config.bin %> key create --user anna --project lab --json',
    '<%= config.bin %> key create --access-key CIPIPELINE --secret-file ci.secret',
  ];
  static override flags = {
    user: Flags.string({ description: 'whose key; default your own', helpValue: 'NAME' }),
    project: Flags.string({ description: 'project that it works in', helpValue: 'NAME' }),
    out: Flags.string({ description: 'file for the secret; default stdout', helpValue: 'FILE' }),
    'access-key': Flags.string({
      description: 'id that the key is to have',
      helpValue: 'ID',
      dependsOn: ['secret-file'],
    }),
    'secret-file': Flags.string({
      description: 'file that holds the secret that the key is to have',
      helpValue: 'FILE',
      dependsOn: ['access-key'],
    }),
    ...changeFlags,
  };
  static override parameters = {
    UserName: '--user',
    ProjectId: '--project',
    AccessKeyId: '--access-key',
    SecretAccessKey: '--secret-file',
  };

  async run(): Promise<void> {
    const { flags } = await this.parse(KeyCreate);
    const session = this.open(flags);
    const { 'access-key': id, 'secret-file': from } = flags;
    const given = id === undefined || from === undefined ? {} : { AccessKeyId: id, SecretAccessKey: readSecret(from) };
    const file = flags.out === undefined ? undefined : reserveKeyFile(flags.out);
    try {
      const made = await session.change('CreateAccessKey', { ...ownerInput(flags), ...given });
      await showSecretKey(session, made, { file, path: flags.out });
    } finally {
      file?.dropIfEmpty();
    }
  }
}

/** The secret is never a word of the command line, which others can see. */
function readSecret(path: string): string {
  let text: string;
  try {
    text = readFileSync(path, 'utf8').trim();
  } catch (error) {
    throw new CloudError('InvalidParameterValue', `--secret-file: ${errorText(error)}`, { cause: error });
  }
  if (text === '') throw new CloudError('InvalidParameterValue', `--secret-file: ${path} is empty`);
  return text;
}
