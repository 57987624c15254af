import { Args } from '@oclif/core';
import { CloudError } from '../../base/errors.ts';
import type { OperationInput } from '../../messages/operations/index.ts';
import { LIMITED, quotaListing } from '../../views/quotas.ts';
import { BaseCommand } from '../support/base-command.ts';
import { changeFlags, columnsFlag } from '../support/flags.ts';
import { ownerFlags, ownerInput, ownerParameters } from '../support/owner-flags.ts';

type Limits = OperationInput<'SetQuota'>['Limits'];

export class QuotaSet extends BaseCommand {
  static override summary = 'limit what a project, or a user in it, may have';
  static override description =
    'KIND=N sets a limit, KIND=unlimited takes it away, KIND=default puts back the one that projects have. A limit below what is in use takes nothing away: nothing more is made until there is room again.';
  static override aliases = ['set-quota'];
  static override examples = [
    '<%= config.bin %> quota set instances=20 vcpus=40 --project lab',
    '<%= config.bin %> quota set instances=2 --project lab --user anna',
    '<%= config.bin %> quota set volumes=unlimited gigabytes=default --project lab',
  ];
  static override args = {
    limit: Args.string({
      description: `KIND=N, KIND=unlimited or KIND=default; kinds are ${LIMITED.join(', ')}`,
      required: true,
      multiple: true,
      ignoreStdin: true,
    }),
  };
  static override flags = { ...ownerFlags, ...changeFlags, ...columnsFlag };
  static override parameters = { ...ownerParameters, Limits: 'LIMIT' };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(QuotaSet);
    const session = this.open(flags);
    const input = { ...ownerInput(flags), Limits: parseLimits(args.limit) };
    const { quotas, ...rest } = await session.change('SetQuota', input);
    session.output.message(
      `set the limits of ${rest.userName === undefined ? '' : `${rest.userName} in `}${rest.projectId} (${rest.operationId})`,
    );
    await session.show(quotaListing(quotas, rest));
  }
}

function parseLimits(words: readonly string[]): Limits {
  const limits: Limits = {};
  for (const word of words) {
    const [, kind = '', text = ''] = /^([A-Za-z]+)=(.+)$/.exec(word) ?? [];
    const known = LIMITED.find((one) => one.toLowerCase() === kind.toLowerCase());
    const limit = limitIn(text);
    if (known === undefined || limit === undefined) throw badLimit(word);
    if (limits[known] !== undefined)
      throw new CloudError('InvalidParameterCombination', `${known} is given twice; give each kind once`);
    limits[known] = limit;
  }
  return limits;
}

function limitIn(text: string): number | 'unlimited' | 'default' | undefined {
  if (text === 'unlimited' || text === 'default') return text;
  return /^\d{1,10}$/.test(text) ? Number(text) : undefined;
}

function badLimit(word: string): CloudError {
  const shown = word.replaceAll(/\p{Cc}/gu, '?').slice(0, 80);
  return new CloudError(
    'InvalidParameterValue',
    `a limit must be KIND=N, KIND=unlimited or KIND=default, not "${shown}"; kinds are ${LIMITED.join(', ')}`,
  );
}
