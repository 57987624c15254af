import { Flags } from '@oclif/core';
import { BaseCommand } from '../support/base-command.ts';
import { changeFlags } from '../support/flags.ts';

const STEPS = ['whole', 'prepare', 'reseal', 'forget'] as const;
type Step = (typeof STEPS)[number];

const SAID: Readonly<Record<Step, string>> = {
  whole: 'every secret is sealed by the new master key, and the old one is gone',
  prepare: 'the next master key is made: copy seal.key to the secrets of every other process, then --step reseal',
  reseal: 'every secret is sealed by the new master key: copy seal.key to all again, then --step forget',
  forget: 'the old master key is gone: copy seal.key to all a last time',
};

export class KeyRotateMaster extends BaseCommand {
  static override summary = 'seal every secret anew by another master key';
  static override description =
    'Secrets in records are sealed by the key in seal.key, in the folder of secrets. Where one process has the state, this does it all at once, and may be cut off at any moment: both keys open until everything is sealed by the new one, and the same command goes on. Where several processes share a cloud (etcd) it is done in three steps, --step prepare, reseal and forget, and after each of them seal.key is copied to the folder of secrets of every other process (unless they share it); processes need no restart. Backups made before hold the old key.';
  static override aliases = ['rotate-master-key', 'rotate-key-master'];
  static override examples = [
    '<%= config.bin %> key rotate-master --reason "an administrator left"',
    '<%= config.bin %> key rotate-master --step prepare',
  ];
  static override flags = {
    step: Flags.option({ description: 'how much of it', options: STEPS, default: 'whole' as Step })(),
    ...changeFlags,
  };
  static override parameters = { Step: '--step' };

  async run(): Promise<void> {
    const { flags } = await this.parse(KeyRotateMaster);
    const session = this.open(flags);
    await session.confirm('seal every secret anew by another master key?');
    const { resealed, operationId, ...keys } = await session.change('RotateMasterKey', { Step: flags.step });
    session.output.message(`${SAID[flags.step]} (${resealed} sealed anew, ${operationId})`);
    await session.showValue({ ...keys, resealed, operationId }, '');
  }
}
