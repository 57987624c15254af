import { Flags } from '@oclif/core';
import { BaseCommand } from '../support/base-command.ts';
import { changeFlags, duration, idArg } from '../support/flags.ts';
import { reserveKeyFile } from '../support/key-files.ts';
import { showSecretKey } from '../support/show-secret-key.ts';

const DAY_MS = 86_400_000;

export class KeyRotate extends BaseCommand {
  static override summary = 'make an access key in the place of another';
  static override description =
    'The old key stays good for the overlap, so that whatever uses it can be given the new one; then it is refused. The new secret is answered once: to stdout, or to a file by --out (mode 0600, never overwritten).';
  static override aliases = ['rotate-key'];
  static override examples = [
    '<%= config.bin %> key rotate AKIAIOSFODNN7EXAMPLE --out /root/ci.key',
    '<%= config.bin %> key rotate AKIAIOSFODNN7EXAMPLE --overlap 2h --reason "it was in a log"',
  ];
  static override args = idArg('access key to replace');
  static override flags = {
    overlap: duration('overlap', {
      description: 'time that the old key stays good',
      default: DAY_MS,
      defaultText: '24h',
    }),
    out: Flags.string({ description: 'file for the secret; default stdout', helpValue: 'FILE' }),
    ...changeFlags,
  };
  static override parameters = { AccessKeyId: 'ID', OverlapSeconds: '--overlap' };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(KeyRotate);
    const session = this.open(flags);
    const OverlapSeconds = Math.ceil(flags.overlap / 1000);
    const file = flags.out === undefined ? undefined : reserveKeyFile(flags.out);
    try {
      const { previous, ...made } = await session.change('RotateAccessKey', { AccessKeyId: args.id, OverlapSeconds });
      await showSecretKey(session, made, { file, path: flags.out });
      const until = new Date(previous.expiresAtMs ?? 0).toISOString();
      session.output.message(`the old key ${previous.accessKeyId} is refused from ${until} on`);
    } finally {
      file?.dropIfEmpty();
    }
  }
}
