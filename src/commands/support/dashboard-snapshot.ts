import { CloudError } from '../../base/errors.ts';
import { withFeed } from '../../views/dashboard/feed.ts';
import { snapshotText } from '../../views/dashboard/snapshot-text.ts';
import { dashboardState, type FeedItem } from '../../views/dashboard/state.ts';
import type { Session } from './session.ts';

/** One snapshot of the feed, as text or in the format asked for. */
export async function printSnapshot(session: Session): Promise<void> {
  const items: FeedItem[] = [];
  for await (const item of session.watch('WatchCloud', {})) {
    items.push(item);
    if (item.kind !== 'ready') continue;
    const { known } = withFeed(dashboardState({ readOnly: true, columns: 80, rows: 24 }), items, 0);
    const rendering = await session.rendering();
    const value = {
      hosts: [...known.hosts.values()],
      instances: [...known.instances.values()],
      operations: [...known.operations.values()],
    };
    return session.showValue(value, snapshotText(known, { ...rendering, format: 'table', columns: undefined }));
  }
  throw new CloudError('Unavailable', 'the cloud ended the answer before it was whole; ask again');
}
