import { newId } from '../base/ids.ts';
import type { Random } from '../base/random.ts';
import { randomBelow } from '../base/random.ts';
import { DEFAULT_INSTANCE_TYPES } from '../domain/instance-types.ts';
import { KEYS } from '../domain/keys.ts';
import type { CloudRecord, ProjectRecord, UserRecord } from '../domain/records.ts';
import type { Store } from '../ports/store.ts';
import { transact } from './state/draft.ts';

/** What an empty store gets once: the cloud's id, project and user `admin`, the instance types. Answers the cloud's id. */
export async function bootstrapCloud(store: Store, random: Random, nowMs: number): Promise<string> {
  const { result } = await transact(store, (draft) => {
    const known = draft.get<CloudRecord>(KEYS.cloud);
    if (known !== undefined) return known.cloudId;
    const cloudId = newId('cloud', random);
    draft.put(KEYS.cloud, { v: 1, cloudId, createdAtMs: nowMs } satisfies CloudRecord);
    const accountId = String(randomBelow(random, 9e11) + 1e11);
    draft.put(KEYS.project('admin'), { v: 1, id: 'admin', accountId, createdAtMs: nowMs } satisfies ProjectRecord);
    draft.put(KEYS.user('admin'), {
      v: 1,
      id: 'admin',
      roles: ['cloudadmin'],
      createdAtMs: nowMs,
    } satisfies UserRecord);
    for (const type of DEFAULT_INSTANCE_TYPES) draft.put(KEYS.type(type.name), type);
    return cloudId;
  });
  return result;
}
