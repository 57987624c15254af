import { randomHex } from '../../base/random.ts';
import { KEYS, operationIdAt } from '../../domain/keys.ts';
import type { RestoredRecord } from '../../domain/maintenance.ts';
import type { AdoptedRecord, OperationRecord } from '../../domain/records.ts';
import type { Replica } from '../../ports/store.ts';
import type { ControllerContext } from '../controller-context.ts';
import { transact } from '../state/draft.ts';

/** When the records were last put back from an older copy, by `state restore` or by an etcd that was adopted; undefined: never. */
export function restoredAtMs(replica: Pick<Replica, 'get'>): number | undefined {
  const restored = replica.get<RestoredRecord>(KEYS.restored)?.value;
  const adopted = replica.get<AdoptedRecord>(KEYS.adopted)?.value;
  if (restored === undefined && adopted === undefined) return undefined;
  return Math.max(restored?.atMs ?? 0, adopted?.atMs ?? 0);
}

/** The first cloud on a state that was restored writes that into its operations. */
export async function tellRestored(context: Pick<ControllerContext, 'store' | 'clock' | 'random'>): Promise<void> {
  const { store, clock, random } = context;
  const restored = store.get<RestoredRecord>(KEYS.restored)?.value;
  if (restored === undefined || restored.settled) return;
  const nowMs = clock.nowMs();
  const id = operationIdAt(nowMs, randomHex(random, 5));
  await transact(store, (draft) => {
    // Guarded: of several controllers one tells.
    if (draft.get<RestoredRecord>(KEYS.restored)?.settled !== false) return;
    draft.put(KEYS.restored, { ...restored, settled: true } satisfies RestoredRecord);
    draft.put(KEYS.operation(id), operationOf(id, restored, nowMs));
  });
}

function operationOf(id: string, { atMs, fromRev, archive }: RestoredRecord, nowMs: number): OperationRecord {
  return {
    v: 1,
    id,
    name: 'RestoreState',
    status: 'succeeded',
    principal: 'restore',
    projectId: 'admin',
    from: 'archive',
    reason: `restored from ${archive}, revision ${fromRev}`,
    inputDigest: '',
    startedAtMs: atMs,
    endedAtMs: nowMs,
    targets: [archive],
    pending: [],
    steps: [],
  };
}
