import type { InstanceView } from '../../views/instances.ts';
import type { Session } from './session.ts';

/** The most that one page holds. */
const PAGE = 1000;

/** Instances, page by page. All terminated ones are left out unless they are asked for. */
export async function describeInstances(
  session: Session,
  want: { ids?: readonly string[] | undefined; all: boolean },
): Promise<{ instances: InstanceView[]; rev: number }> {
  const instances: InstanceView[] = [];
  const ids = want.ids ?? [];
  let token: string | undefined;
  for (;;) {
    const page = await session.read('DescribeInstances', {
      ...(ids.length === 0 ? { MaxResults: PAGE, HideTerminated: !want.all } : { InstanceIds: [...ids] }),
      ...(token === undefined ? {} : { NextToken: token }),
    });
    instances.push(...page.instances);
    token = page.nextToken;
    if (token === undefined) return { instances, rev: page.rev };
  }
}
