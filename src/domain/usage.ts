import type { InstanceRecord } from './instance.ts';
import { KEYS, PREFIX } from './keys.ts';
import { QUOTA_KINDS, type QuotaKind, type UsageRecord } from './quota.ts';
import type { PublicAddressRecord } from './address.ts';
import type { ImageRecord, InstanceTemplate, KeyPairRecord, ReservationRecord } from './records.ts';
import type { SecurityGroupRecord } from './security-groups.ts';
import type { SnapshotRecord } from './snapshot.ts';
import type { VolumeRecord } from './volume.ts';

export type Used = Readonly<Record<QuotaKind, number>>;
export type Amounts = Readonly<Partial<Record<QuotaKind, number>>>;

/** A project, and the user in it whose own limits count beside the project's. */
export interface QuotaOwner {
  readonly projectId: string;
  readonly user?: string;
}

/** What of a quota something takes, and for whom. */
export interface Counted extends QuotaOwner {
  readonly amounts: Amounts;
}

type Size = Pick<InstanceRecord, 'vcpus' | 'memoryMib'>;

/** What so many instances of a size take. */
export const instanceAmounts = ({ vcpus, memoryMib }: Size, count = 1): Amounts => ({
  instances: count,
  vcpus: vcpus * count,
  memoryMib: memoryMib * count,
});

export const volumeAmounts = ({ sizeGib }: Pick<VolumeRecord, 'sizeGib'>): Amounts => ({
  volumes: 1,
  gigabytes: sizeGib,
});
/** What so many instances take, with the volumes that each of them gets. */
export function launchAmounts(template: Size & Pick<InstanceTemplate, 'volumes'>, count = 1): Amounts {
  const { volumes = [] } = template;
  const gigabytes = volumes.reduce((sum, { sizeGib }) => sum + sizeGib, 0);
  return {
    ...instanceAmounts(template, count),
    ...(volumes.length === 0 ? {} : { volumes: volumes.length * count, gigabytes: gigabytes * count }),
  };
}

export const snapshotAmounts: Amounts = { snapshots: 1 };
export const addressAmounts: Amounts = { addresses: 1 };
export const keyPairAmounts: Amounts = { keyPairs: 1 };

const ownerIn = ({ projectId, user }: QuotaOwner): QuotaOwner => ({
  projectId,
  ...(user === undefined ? {} : { user }),
});

function countInstance(record: InstanceRecord): Counted | undefined {
  return record.state === 'terminated' ? undefined : { ...ownerIn(record), amounts: instanceAmounts(record) };
}

/** Instances that are still to be made were claimed with the first. */
function countReservation({ remaining }: ReservationRecord): Counted | undefined {
  if (remaining === undefined) return undefined;
  const { template, placements } = remaining;
  return { ...ownerIn(template), amounts: launchAmounts(template, placements.length) };
}

/** One that was deregistered is nothing that its owner could still give back: only the instances that stand on it keep it. */
function countImage(record: ImageRecord): Counted | undefined {
  return record.deregisteredAtMs === undefined ? { ...ownerIn(record), amounts: { images: 1 } } : undefined;
}

/** A VPC's own group is there without anybody having asked for it. */
function countGroup(record: SecurityGroupRecord): Counted | undefined {
  return record.isDefault === true ? undefined : { ...ownerIn(record), amounts: { groups: 1 } };
}

/** What takes something of a quota, by the prefix of its key. Whatever claims quota has a row here. */
const COUNTED: readonly { readonly prefix: string; readonly count: (value: never) => Counted | undefined }[] = [
  { prefix: PREFIX.image, count: countImage },
  { prefix: PREFIX.instance, count: countInstance },
  { prefix: PREFIX.keyPair, count: (record: KeyPairRecord) => ({ ...ownerIn(record), amounts: keyPairAmounts }) },
  {
    prefix: PREFIX.publicAddress,
    count: (record: PublicAddressRecord) => ({ ...ownerIn(record), amounts: addressAmounts }),
  },
  { prefix: PREFIX.reservation, count: countReservation },
  { prefix: PREFIX.securityGroup, count: countGroup },
  { prefix: PREFIX.snapshot, count: (record: SnapshotRecord) => ({ ...ownerIn(record), amounts: snapshotAmounts }) },
  { prefix: PREFIX.volume, count: (record: VolumeRecord) => ({ ...ownerIn(record), amounts: volumeAmounts(record) }) },
];

/** The prefixes of all records that count. */
export const COUNTED_PREFIXES: readonly string[] = COUNTED.map(({ prefix }) => prefix);

/** What the records say is in use, by the key of the usage record: of each project, and of each user in it. */
export function usageInRecords(
  records: Iterable<{ readonly key: string; readonly value: unknown }>,
): ReadonlyMap<string, Used> {
  const sums = new Map<string, Used>();
  for (const { key, value } of records) {
    const counted = COUNTED.find(({ prefix }) => key.startsWith(prefix))?.count(value as never);
    if (counted === undefined) continue;
    const { projectId, user, amounts } = counted;
    for (const at of [KEYS.usage(projectId), ...(user === undefined ? [] : [KEYS.usage(projectId, user)])])
      sums.set(at, plus(sums.get(at) ?? NOTHING_USED, amounts));
  }
  return sums;
}

export const NOTHING_USED: Used = Object.fromEntries(QUOTA_KINDS.map((kind) => [kind, 0])) as Record<QuotaKind, number>;

/** Every kind, those that are not there as nothing. */
export function wholeUsage(used: Amounts): Used {
  const whole: Record<QuotaKind, number> = { ...NOTHING_USED };
  for (const kind of QUOTA_KINDS) whole[kind] = used[kind] ?? 0;
  return whole;
}

export function plus(used: Used, amounts: Amounts, sign: 1 | -1 = 1): Used {
  const sum = { ...NOTHING_USED };
  for (const kind of QUOTA_KINDS) sum[kind] = Math.max(0, used[kind] + sign * (amounts[kind] ?? 0));
  return sum;
}

/** Usage records that are not the sum of what is there, with what each should hold. */
export function usageDifferences(
  records: readonly { readonly key: string; readonly value: unknown }[],
): { readonly key: string; readonly said: Used; readonly right: Used }[] {
  const sums = usageInRecords(records);
  return records.flatMap(({ key, value }) => {
    if (!key.startsWith(PREFIX.usage)) return [];
    const said = wholeUsage((value as UsageRecord).used);
    const right = sums.get(key) ?? NOTHING_USED;
    return QUOTA_KINDS.every((kind) => said[kind] === right[kind]) ? [] : [{ key, said, right }];
  });
}

/** `3 instances, not 4; …` of the kinds that differ. */
export function usageDifferenceText({ said, right }: { readonly said: Used; readonly right: Used }): string {
  return QUOTA_KINDS.filter((kind) => said[kind] !== right[kind])
    .map((kind) => `says ${said[kind]} ${kind}, the records say ${right[kind]}`)
    .join('; ');
}

/** The owner that the key of a usage record names. */
export function usageOwner(key: string): QuotaOwner {
  const [projectId = '', user = ''] = key.slice(PREFIX.usage.length).split('/');
  return { projectId, ...(user === '' ? {} : { user }) };
}
