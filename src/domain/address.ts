import { CloudError } from '../base/errors.ts';

/** A public address that is nobody's has no record. */
export type AddressState = 'allocated' | 'associated';

/** The one table of legal transitions. From allocated the record goes; an association moves from instance to instance by way of allocated. */
export const ADDRESS_TRANSITIONS: Readonly<Record<AddressState, readonly AddressState[]>> = {
  allocated: ['associated'],
  associated: ['allocated'],
};

export interface AddressAssociation {
  readonly associationId: string;
  readonly instanceId: string;
  /** The instance's own address. */
  readonly privateAddress: string;
  readonly sinceMs: number;
}

/** One public address that a project has; its key is the address, so that it is given once. */
export interface PublicAddressRecord {
  readonly v: 1;
  readonly publicIp: string;
  readonly allocationId: string;
  readonly projectId: string;
  /** Who took it, when that is a user: whose own quota it counts in. */
  readonly user?: string;
  /** One of the region that it is of. */
  readonly zone: string;
  readonly domain: 'vpc' | 'standard';
  readonly association?: AddressAssociation;
  readonly createdAtMs: number;
}

/** An instance's public address; one an instance. */
export interface InstanceAddressRecord {
  readonly v: 1;
  readonly publicIp: string;
}

export function addressState({ association }: PublicAddressRecord): AddressState {
  return association === undefined ? 'allocated' : 'associated';
}

/** The record with another association, or (undefined) none; an illegal step is an error of ours, named. */
export function addressTransition(
  record: PublicAddressRecord,
  association: AddressAssociation | undefined,
): PublicAddressRecord {
  const from = addressState(record);
  const to: AddressState = association === undefined ? 'allocated' : 'associated';
  if (!ADDRESS_TRANSITIONS[from].includes(to)) {
    throw new CloudError('InternalError', `address ${record.publicIp} can't go from ${from} to ${to}`);
  }
  const { association: _, ...rest } = record;
  return association === undefined ? rest : { ...rest, association };
}
