import { CloudError } from '../../base/errors.ts';
import { KEYS } from '../../domain/keys.ts';

/** CloudError 'CorruptState' where an import has not ended: the store holds some of a cloud's records. */
export function refuseImporting(store: { get(key: string): unknown }): void {
  if (store.get(KEYS.importing) === undefined) return;
  throw new CloudError(
    'CorruptState',
    'an import into this store is under way or was cut off: run novactl store import again with the same file',
  );
}
