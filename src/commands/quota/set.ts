import { Args } from '@oclif/core';
import { CloudError } from '../../base/errors.ts';
import type { OperationInput } from '../../messages/operations/index.ts';
import { LIMIT_ALLOWED, LIMITED, limitIn, quotaListing } from '../../views/quotas.ts';
import { BaseCommand } from '../support/base-command.ts';
import { missing } from '../support/directory-flags.ts';
import { changeFlags, columnsFlag } from '../support/flags.ts';
import { ownerFlags, ownerInput, ownerParameters } from '../support/owner-flags.ts';
import type { Session } from '../support/session.ts';

type Limits = OperationInput<'SetQuota'>['Limits'];
type Owner = ReturnType<typeof ownerInput>;

const LIMIT_DESCRIPTION = `KIND=N, KIND=unlimited or KIND=default; kinds are ${LIMITED.join(', ')}`;

export class QuotaSet extends BaseCommand {
  static override summary = 'limit what a project, or a user in it, may have';
  static override description =
    'KIND=N sets a limit, KIND=unlimited takes it away, KIND=default puts back the one that projects have. A limit below what is in use takes nothing away: nothing more is made until there is room again. At a terminal, without a LIMIT, it shows each limit with what is in use and asks for another; Enter keeps it, ctrl-c changes nothing.';
  static override aliases = ['set-quota'];
  static override examples = [
    '<%= config.bin %> quota set instances=20 vcpus=40 --project lab',
    '<%= config.bin %> quota set instances=2 --project lab --user anna',
    '<%= config.bin %> quota set volumes=unlimited gigabytes=default --project lab',
    '<%= config.bin %> quota set --project lab',
  ];
  static override args = {
    limit: Args.string({
      description: LIMIT_DESCRIPTION,
      multiple: true,
      ignoreStdin: true,
    }),
  };
  static override flags = { ...ownerFlags, ...changeFlags, ...columnsFlag };
  static override parameters = { ...ownerParameters, Limits: 'LIMIT' };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(QuotaSet);
    const session = this.open(flags);
    const owner = ownerInput(flags);
    const { limit: words = [] } = args;
    const limits = words.length === 0 ? await askFor(session, owner) : parseLimits(words);
    if (limits === undefined) return;
    const { quotas, ...rest } = await session.change('SetQuota', { ...owner, Limits: limits });
    session.output.message(
      `set the limits of ${rest.userName === undefined ? '' : `${rest.userName} in `}${rest.projectId} (${rest.operationId})`,
    );
    await session.show(quotaListing(quotas, rest));
  }
}

/** Undefined: all were kept. */
async function askFor(session: Session, owner: Owner): Promise<Limits | undefined> {
  if (!session.canAsk) throw missing('LIMIT', LIMIT_DESCRIPTION);
  const quotas = await session.read('DescribeQuotas', owner);
  const { askLimits } = await import('../support/ask-limits.ts');
  const limits = await askLimits(session, quotas);
  if (Object.keys(limits).length > 0) return limits;
  session.output.message('every limit is kept, nothing was changed');
  return undefined;
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

function badLimit(word: string): CloudError {
  const shown = word.replaceAll(/\p{Cc}/gu, '?').slice(0, 80);
  return new CloudError(
    'InvalidParameterValue',
    `a limit must be KIND=LIMIT, not "${shown}"; a LIMIT is ${LIMIT_ALLOWED}; kinds are ${LIMITED.join(', ')}`,
  );
}
