import { CloudError } from '../../base/errors.ts';
import { newId } from '../../base/ids.ts';
import type { Random } from '../../base/random.ts';
import { randomBelow } from '../../base/random.ts';
import type { AddressAssociation, InstanceAddressRecord, PublicAddressRecord } from '../../domain/address.ts';
import { addressTransition } from '../../domain/address.ts';
import { contains, formatIpv4, parseCidr, parseIpv4 } from '../../domain/addressing.ts';
import type { InstanceRecord } from '../../domain/instance.ts';
import { KEYS, PREFIX } from '../../domain/keys.ts';
import { addressAmounts } from '../../domain/usage.ts';
import type { Principal } from '../operations/handler.ts';
import { mayUseInstance } from '../operations/handler.ts';
import type { Draft } from '../state/draft.ts';
import { dropTags } from '../tags/resource-tags.ts';
import { releaseQuota } from '../users/quota.ts';

/**
 * A free address of the pool, guarded as absent; or the one asked for. The search starts at a random place, so that several at once rarely meet;
 * whoever loses decides again. Errors: 'InsufficientAddressCapacity', 'InvalidIPAddress.InUse', 'InvalidParameterValue'.
 */
export function freePublicAddress(draft: Draft, range: string, random: Random, asked?: string): string {
  const pool = parseCidr(range);
  if (asked !== undefined) {
    const value = parseIpv4(asked);
    const isUsable = value !== undefined && contains(pool, value) && isHostPart(value - pool.base, pool.size);
    if (!isUsable) {
      throw new CloudError('InvalidParameterValue', `Address: ${asked} is not of the pool ${range}`, {
        details: { parameter: 'Address' },
      });
    }
    if (draft.get(KEYS.publicAddress(asked)) === undefined) return asked;
    throw new CloudError('InvalidIPAddress.InUse', `Address: ${asked} is taken`, { details: { parameter: 'Address' } });
  }
  const count = pool.size - 2;
  const start = randomBelow(random, count);
  for (let i = 0; i < count; i += 1) {
    const address = formatIpv4(pool.base + 1 + ((start + i) % count));
    if (draft.peek(KEYS.publicAddress(address)) !== undefined) continue;
    draft.get(KEYS.publicAddress(address));
    return address;
  }
  throw new CloudError(
    'InsufficientAddressCapacity',
    `all ${count} public addresses of ${range} are taken; release one, or set network.publicRange to a larger range`,
  );
}

/** Neither the network's own address nor broadcast. */
function isHostPart(offset: number, size: number): boolean {
  return offset > 0 && offset < size - 1;
}

export interface WhichAddress {
  readonly PublicIp?: string | undefined;
  readonly AllocationId?: string | undefined;
  readonly AssociationId?: string | undefined;
}

const BY_ID = {
  AllocationId: {
    code: 'InvalidAllocationID.NotFound',
    idOf: (record: PublicAddressRecord) => record.allocationId,
  },
  AssociationId: {
    code: 'InvalidAssociationID.NotFound',
    idOf: (record: PublicAddressRecord) => record.association?.associationId,
  },
} as const;

/**
 * The caller's address that is meant, guarded. Errors: 'InvalidAddress.NotFound' and its sisters, the same for one that is another project's;
 * 'MissingParameter', 'InvalidParameterCombination' (two names).
 */
export function addressFor(draft: Draft, principal: Principal, which: WhichAddress): PublicAddressRecord {
  const [given, second] = (['PublicIp', 'AllocationId', 'AssociationId'] as const).filter(
    (name) => which[name] !== undefined,
  );
  if (given === undefined) {
    const names = 'AssociationId' in which ? 'PublicIp or AssociationId' : 'PublicIp or AllocationId';
    throw new CloudError('MissingParameter', `${names}: one of them is needed`, { details: { parameter: 'PublicIp' } });
  }
  if (second !== undefined) {
    throw new CloudError('InvalidParameterCombination', `${given}: give it or ${second}, not both`);
  }
  const id = which[given] ?? '';
  const publicIp = given === 'PublicIp' ? id : publicIpOf(draft, (record) => BY_ID[given].idOf(record) === id);
  const record = publicIp === undefined ? undefined : draft.get<PublicAddressRecord>(KEYS.publicAddress(publicIp));
  if (record !== undefined && mayUseInstance(principal, record)) return record;
  const code = given === 'PublicIp' ? 'InvalidAddress.NotFound' : BY_ID[given].code;
  throw new CloudError(code, `${given}: there is no ${id} in this project`, { details: { parameter: given } });
}

function publicIpOf(draft: Draft, isIt: (record: PublicAddressRecord) => boolean): string | undefined {
  return draft.replica.range<PublicAddressRecord>(PREFIX.publicAddress).find(({ value }) => isIt(value))?.value
    .publicIp;
}

/** The address is the instance's from now on; what either had before is not. */
export function associate(
  draft: Draft,
  record: PublicAddressRecord,
  instance: Pick<InstanceRecord, 'id' | 'nic'>,
  source: { readonly random: Random; readonly nowMs: number },
): PublicAddressRecord {
  const free = disassociate(draft, record);
  dropInstanceAddress(draft, instance.id);
  const association: AddressAssociation = {
    associationId: newId('association', source.random),
    instanceId: instance.id,
    privateAddress: instance.nic.address,
    sinceMs: source.nowMs,
  };
  const next = addressTransition(free, association);
  draft.put(KEYS.publicAddress(record.publicIp), next);
  draft.put(KEYS.instanceAddress(instance.id), { v: 1, publicIp: record.publicIp } satisfies InstanceAddressRecord);
  return next;
}

/** The address is no instance's. */
export function disassociate(draft: Draft, record: PublicAddressRecord): PublicAddressRecord {
  if (record.association === undefined) return record;
  const next = addressTransition(record, undefined);
  draft.put(KEYS.publicAddress(record.publicIp), next);
  draft.del(KEYS.instanceAddress(record.association.instanceId));
  return next;
}

/** The instance has no public address any more: in the transaction that says that it is gone, or when it gets another. */
export function dropInstanceAddress(draft: Draft, instanceId: string): void {
  const known = draft.get<InstanceAddressRecord>(KEYS.instanceAddress(instanceId));
  if (known === undefined) return;
  const record = draft.get<PublicAddressRecord>(KEYS.publicAddress(known.publicIp));
  if (record?.association?.instanceId === instanceId) disassociate(draft, record);
  else draft.del(KEYS.instanceAddress(instanceId));
}

/** Back to the pool. */
export function releaseAddressRecord(draft: Draft, record: PublicAddressRecord): void {
  disassociate(draft, record);
  draft.del(KEYS.publicAddress(record.publicIp));
  dropTags(draft, record.allocationId);
  releaseQuota(draft, record, addressAmounts);
}
