import type { Json } from '../../../base/json.ts';
import type { Logger } from '../../../base/logger.ts';
import type { Change } from '../../../ports/store.ts';
import type { ReplicaMap } from '../replica-map.ts';
import type { EtcdEvent } from './etcd-api.ts';
import type { KeySpace } from './key-space.ts';
import { readValue } from './list-records.ts';
import type { Witness } from './origin.ts';

export interface Applied {
  readonly change: Change;
  /** As the journal holds it. */
  readonly text: string;
  /** A key that the revision wrote. */
  readonly witness: Witness | undefined;
}

interface Parts {
  readonly keys: KeySpace;
  readonly logger: Logger;
  readonly replica: ReplicaMap;
}

/** Brings one answer's events into the replica, a revision at a time; what it has already is left out. */
export function* applyEvents(events: readonly EtcdEvent[], parts: Parts): Generator<Applied> {
  let group: EtcdEvent[] = [];
  for (const event of events) {
    if (group[0] !== undefined && group[0].kv.modRevision !== event.kv.modRevision) {
      yield* applyRevision(group, parts);
      group = [];
    }
    group.push(event);
  }
  yield* applyRevision(group, parts);
}

function* applyRevision(events: readonly EtcdEvent[], { keys, logger, replica }: Parts): Generator<Applied> {
  const rev = events[0]?.kv.modRevision;
  if (rev === undefined || rev <= replica.rev) return;
  const ops: { key: string; value: Json | undefined }[] = [];
  const texts: string[] = [];
  let witness: Witness | undefined;
  for (const { kind, kv } of events) {
    const key = keys.recordKey(kv.key);
    if (kind === 'delete') {
      if (key === undefined) continue;
      ops.push({ key, value: undefined });
      texts.push(`{"k":${JSON.stringify(key)}}`);
      continue;
    }
    const value = readValue(kv, logger);
    if (value === undefined) continue;
    witness = { etcdKey: kv.key, rev, value };
    if (key === undefined) continue;
    ops.push({ key, value });
    texts.push(`{"k":${JSON.stringify(key)},"v":${kv.value}}`);
  }
  const text = `{"rev":${rev},"ops":[${texts.join(',')}]}`;
  const change = { rev, ops };
  replica.apply(change, text.length);
  yield { change, text, witness };
}
