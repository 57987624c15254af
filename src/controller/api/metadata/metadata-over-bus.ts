import { toJson } from '../../../base/json.ts';
import { MetadataFound, MetadataLookup } from '../../../messages/metadata.ts';
import { TOPIC } from '../../../messages/worker.ts';
import type { Bus, HandlerTable } from '../../../ports/bus.ts';
import type { MetadataView } from './metadata-view.ts';

/** A guest waits; cloud-init gives a request about ten seconds. */
const LOOKUP_TIMEOUT_MS = 5000;

export type LookupMetadata = (address: string, hostId: string | undefined) => Promise<MetadataView | undefined>;

/** What a process with the api role answers to workers that have guests' requests and no records. */
export function metadataHandlers(lookup: LookupMetadata): HandlerTable {
  return {
    'metadata-lookup': async (body) => {
      const { address, hostId } = MetadataLookup.parse(body);
      const view = await lookup(address, hostId);
      if (view === undefined) return {};
      const { userData, ...rest } = view;
      const data = userData === undefined ? {} : { userData: userData.toString('base64') };
      return toJson({ view: { ...rest, ...data } });
    },
  };
}

/** The other side. Errors: 'Unavailable' and 'Timeout' of the bus. */
export function metadataOverBus(bus: Pick<Bus, 'call'>): LookupMetadata {
  return async (address, hostId) => {
    const ask = { v: 1, address, ...(hostId === undefined ? {} : { hostId }) };
    const answer = await bus.call(TOPIC.api, 'metadata-lookup', ask, { timeoutMs: LOOKUP_TIMEOUT_MS });
    const { view } = MetadataFound.parse(answer ?? {});
    if (view === undefined) return undefined;
    const { userData, ...rest } = view;
    const { kernelId, ramdiskId, publicIpv4, requireToken, ...always } = rest;
    return {
      ...always,
      ...(kernelId === undefined ? {} : { kernelId }),
      ...(ramdiskId === undefined ? {} : { ramdiskId }),
      ...(publicIpv4 === undefined ? {} : { publicIpv4 }),
      ...(requireToken === undefined ? {} : { requireToken }),
      ...(userData === undefined ? {} : { userData: Buffer.from(userData, 'base64') }),
    };
  };
}
