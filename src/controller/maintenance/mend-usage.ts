import { KEYS } from '../../domain/keys.ts';
import type { UsageRecord } from '../../domain/quota.ts';
import { usageDifferences, usageDifferenceText, usageOwner } from '../../domain/usage.ts';
import { type Draft, transact } from '../state/draft.ts';
import { countUsage } from '../users/quota.ts';
import type { JobTools } from './job.ts';
import type { JobReport } from './report.ts';

/** Usage records that are not the sum of what is there are written anew, each in a transaction that nothing that counts can slip past. */
export async function mendUsage({ cloud, plan }: JobTools, report: JobReport): Promise<void> {
  const { store } = cloud;
  for (const one of usageDifferences(store.range<unknown>(''))) {
    const text = `${one.key} ${usageDifferenceText(one)}`;
    if (plan) report.changes.push(`${text}: it would be set right`);
    else if (await mend(store, one.key)) report.changes.push(`${text}: set right`);
  }
}

async function mend(store: JobTools['cloud']['store'], key: string): Promise<boolean> {
  const owner = usageOwner(key);
  const decide = (draft: Draft): boolean => {
    const known = draft.get<UsageRecord>(key);
    if (known === undefined) return false;
    const used = countUsage(draft.replica, owner);
    const next = { ...known, used } satisfies UsageRecord;
    if (JSON.stringify(known) === JSON.stringify(next)) return false;
    draft.put(KEYS.usage(owner.projectId, owner.user), next);
    return true;
  };
  const { result } = await transact(store, decide, { settled: true });
  return result;
}
