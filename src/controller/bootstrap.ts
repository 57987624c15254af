import { newId } from '../base/ids.ts';
import type { Random } from '../base/random.ts';
import { randomBelow } from '../base/random.ts';
import { DEFAULT_INSTANCE_TYPES } from '../domain/instance-types.ts';
import { KEYS } from '../domain/keys.ts';
import type { AccountRecord, CloudRecord, ProjectRecord, SealCheckRecord, UserRecord } from '../domain/records.ts';
import type { Sealer } from '../ports/sealer.ts';
import type { Store } from '../ports/store.ts';
import { transact, type Draft } from './state/draft.ts';
import { refuseImporting } from './state/importing.ts';
import { newAccessKey } from './users/new-access-key.ts';

export interface BootstrapParts {
  readonly store: Store;
  readonly random: Random;
  readonly nowMs: number;
  readonly sealer: Sealer;
  /** 12 digits, of the first project; empty: drawn. */
  readonly accountId: string;
  /** Users and projects are in the store, and not in a directory elsewhere. */
  readonly holdsPeople: boolean;
}

const SEAL_CHECK = 'novactl';

/**
 * What an empty store gets once: the cloud's id, project and user `admin` (unless they are elsewhere) with one access key, the instance types. Answers the cloud's id.
 * CloudError 'CorruptState' when the seal key is not the one that this state's secrets were sealed by.
 */
export async function bootstrapCloud(parts: BootstrapParts): Promise<string> {
  const { store, random, nowMs } = parts;
  const begin = (draft: Draft): string => {
    // With a guard: an import may begin at any moment before the first record.
    refuseImporting({ get: (key) => draft.get(key) });
    firstAccessKey(draft, parts);
    if (parts.holdsPeople) firstPeople(draft, parts);
    const known = draft.get<CloudRecord>(KEYS.cloud);
    if (known !== undefined) return known.cloudId;
    const cloudId = newId('cloud', random);
    draft.put(KEYS.cloud, { v: 1, cloudId, createdAtMs: nowMs } satisfies CloudRecord);
    for (const type of DEFAULT_INSTANCE_TYPES) draft.put(KEYS.type(type.name), type);
    return cloudId;
  };
  const { result } = await transact(store, begin, { whileHeld: true });
  return result;
}

/** A cloud that had its users in a directory elsewhere until now gets them too. */
function firstPeople(draft: Draft, { random, nowMs, accountId: given }: BootstrapParts): void {
  if (draft.get(KEYS.project('admin')) === undefined) {
    const accountId = given === '' ? String(randomBelow(random, 9e11) + 1e11) : given;
    draft.put(KEYS.account(accountId), { v: 1, projectId: 'admin' } satisfies AccountRecord);
    draft.put(KEYS.project('admin'), { v: 1, id: 'admin', accountId, createdAtMs: nowMs } satisfies ProjectRecord);
  }
  if (draft.get(KEYS.user('admin')) !== undefined) return;
  const admin: UserRecord = { v: 1, id: 'admin', roles: ['cloudadmin'], createdAtMs: nowMs };
  draft.put(KEYS.user('admin'), admin);
}

/** With the seal check, which an older state lacks: it gets its key at the first start. */
function firstAccessKey(draft: Draft, { random, nowMs, sealer }: BootstrapParts): void {
  const known = draft.get<SealCheckRecord>(KEYS.sealCheck);
  if (known !== undefined) {
    sealer.unseal(known.sealed, KEYS.sealCheck);
    return;
  }
  draft.put(KEYS.sealCheck, { v: 1, sealed: sealer.seal(SEAL_CHECK, KEYS.sealCheck) } satisfies SealCheckRecord);
  const { record } = newAccessKey({ random, sealer, nowMs }, { userId: 'admin', projectId: 'admin' });
  draft.put(KEYS.accessKey(record.id), { ...record, issued: false });
}
