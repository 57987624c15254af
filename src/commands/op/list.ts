import { operationListing, type OperationView } from '../../views/operations.ts';
import { BaseCommand } from '../support/base-command.ts';
import { listFlags, whole } from '../support/flags.ts';
import type { Session } from '../support/session.ts';

const PAGE = 1000;

export class OpList extends BaseCommand {
  static override summary = 'list operations, the newest first';
  static override description = 'Every change is an operation: who, when, from where, why, and how it ended.';
  static override aliases = ['list-op'];
  static override examples = [
    '<%= config.bin %> op list --limit 20',
    '<%= config.bin %> op list --filter status=failed --output wide',
  ];
  static override flags = {
    limit: whole('limit', { description: 'how many at most', min: 1, max: 100_000, default: 50 }),
    ...listFlags,
  };
  static override parameters = { MaxResults: '--limit' };

  async run(): Promise<void> {
    const { flags } = await this.parse(OpList);
    const session = this.open(flags);
    await session.show(operationListing(await newest(session, flags.limit)));
  }
}

async function newest(session: Session, limit: number): Promise<OperationView[]> {
  const found: OperationView[] = [];
  let token: string | undefined;
  do {
    const page = await session.read('DescribeOperations', {
      MaxResults: Math.min(PAGE, limit - found.length),
      ...(token === undefined ? {} : { NextToken: token }),
    });
    found.push(...page.operations);
    token = page.nextToken;
  } while (token !== undefined && found.length < limit);
  return found;
}
