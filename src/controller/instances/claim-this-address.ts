import { CloudError } from '../../base/errors.ts';
import { contains, guestOffsets, parseCidr, parseIpv4 } from '../../domain/addressing.ts';
import { KEYS } from '../../domain/keys.ts';
import type { ClaimRecord, NetworkRecord } from '../../domain/records.ts';
import { QUARANTINE_MS } from '../controller-context.ts';
import { badParameter } from '../operations/handler.ts';
import type { Draft } from '../state/draft.ts';

/** The address that was asked for, claimed for the owner. Errors: 'InvalidParameterValue' (not of the network), 'InvalidIPAddress.InUse'. */
export function claimThisAddress(
  draft: Draft,
  network: NetworkRecord,
  owner: string,
  address: string,
  nowMs: number,
): string {
  const cidr = parseCidr(network.cidr);
  const value = parseIpv4(address);
  const { first, end } = guestOffsets(cidr);
  if (value === undefined || !contains(cidr, value) || value - cidr.base < first || value - cidr.base >= end) {
    throw badParameter('PrivateIpAddress', `${address} is no address that a guest of ${network.cidr} may have`);
  }
  const key = KEYS.address(network.id, address);
  const taken = draft.get<ClaimRecord>(key);
  const isFree = taken?.releasedAtMs !== undefined && nowMs - taken.releasedAtMs >= QUARANTINE_MS;
  if (taken !== undefined && !isFree) {
    throw new CloudError(
      'InvalidIPAddress.InUse',
      `PrivateIpAddress: ${address} is in use, or was until a moment ago; ask for another, or for none`,
      { details: { parameter: 'PrivateIpAddress' } },
    );
  }
  draft.put(key, { v: 1, owner } satisfies ClaimRecord);
  return address;
}
