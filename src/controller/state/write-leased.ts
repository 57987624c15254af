import type { Lease, Store } from '../../ports/store.ts';

/** Takes a lease and writes what goes with it. A lease whose write failed is given back: it would be renewed for ever, and nobody would know of it. */
export async function writeLeased<T>(
  store: Pick<Store, 'lease'>,
  leaseMs: number,
  write: (lease: Lease) => Promise<T>,
): Promise<{ readonly lease: Lease; readonly written: T }> {
  const lease = await store.lease(leaseMs);
  try {
    return { lease, written: await write(lease) };
  } catch (error) {
    lease.close().catch(() => undefined);
    throw error;
  }
}
