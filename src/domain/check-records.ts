import { checkNetworks, networkKeyOf } from './check-networks.ts';
import { checkVolumes, VOLUME_FIELDS } from './check-volumes.ts';
import type { InstanceRecord } from './instance.ts';
import { KEYS, PREFIX } from './keys.ts';
import type { CapacityRecord, ClaimRecord, HostRecord, ImageRecord, ReservationRecord, TagsRecord } from './records.ts';
import { NO_CAPACITY } from './records.ts';
import { usageDifferences, usageDifferenceText } from './usage.ts';

/** A record under its key, whatever it is. */
export interface StoredRecord {
  readonly key: string;
  readonly value: unknown;
}

interface Records {
  readonly byKey: ReadonlyMap<string, unknown>;
  readonly instances: readonly InstanceRecord[];
  readonly live: readonly InstanceRecord[];
}

type Found = (text: string) => void;

/**
 * What does not add up in the state: records that are none, claims without their owner and owners without their claim, capacities that are not the
 * sum of what claims them, references to nothing. Each as a sentence that names the key.
 */
export function checkRecords(records: readonly StoredRecord[]): string[] {
  const problems: string[] = [];
  const found: Found = (text) => problems.push(text);
  const sound = records.filter((record) => isRecord(record, found));
  const byKey = new Map(sound.map(({ key, value }) => [key, value]));
  const instances = valuesOf<InstanceRecord>(sound, PREFIX.instance);
  const all: Records = { byKey, instances, live: instances.filter(({ state }) => state !== 'terminated') };
  for (const instance of all.live) checkInstance(all, instance, found);
  checkClaims(sound, all, found);
  checkHosts(
    valuesOf<HostRecord>(sound, PREFIX.host),
    all,
    valuesOf<ReservationRecord>(sound, PREFIX.reservation),
    found,
  );
  checkImages(valuesOf<ImageRecord>(sound, PREFIX.image), all, found);
  checkTags(valuesOf<TagsRecord>(sound, PREFIX.tags), all, found);
  checkNetworks(byKey, all.live, found);
  checkVolumes(sound, byKey, found);
  for (const one of usageDifferences(sound)) found(`${one.key} ${usageDifferenceText(one)}`);
  return problems;
}

function valuesOf<T>(records: readonly StoredRecord[], prefix: string): T[] {
  return records.filter(({ key }) => key.startsWith(prefix)).map(({ value }) => value as T);
}

/** Fields without which nothing can be said of a record, by the prefix of its key. */
const NEEDED: Readonly<Record<string, readonly string[]>> = {
  [PREFIX.instance]: [
    'id',
    'hostId',
    'projectId',
    'state',
    'desired',
    'generation',
    'nic',
    'imageId',
    'vcpus',
    'memoryMib',
  ],
  [PREFIX.host]: ['id', 'name', 'transport', 'state', 'facts'],
  [PREFIX.image]: ['id', 'name', 'blobKey', 'sha256', 'sizeBytes', 'kind'],
  [PREFIX.imageImport]: ['imageId', 'source', 'asker', 'attempts'],
  [PREFIX.network]: ['id', 'projectId', 'cidr', 'gateway', 'bridge', 'bridgeMac'],
  [PREFIX.capacity]: ['instances', 'vcpus', 'memoryMib', 'diskGib'],
  [PREFIX.address]: ['owner'],
  'mac/': ['owner'],
  'ifname/': ['owner'],
  'subnet/': ['owner'],
  [PREFIX.operation]: ['id', 'name', 'status', 'startedAtMs'],
  [PREFIX.reservation]: ['id', 'instanceIds'],
  [PREFIX.tags]: ['resourceId', 'kind', 'projectId', 'tags'],
  [PREFIX.usage]: ['used'],
  ...VOLUME_FIELDS,
  [PREFIX.vpc]: ['id', 'projectId', 'cidr', 'subnets', 'routeTables'],
  [PREFIX.internetGateway]: ['id', 'projectId'],
  [PREFIX.securityGroup]: ['id', 'projectId', 'vpcId', 'name', 'rules'],
  'security-group-name/': ['groupId'],
};

function isRecord({ key, value }: StoredRecord, found: Found): boolean {
  if (value === null || typeof value !== 'object' || !('v' in value) || typeof value.v !== 'number') {
    found(`${key} is no record: it has no schema version`);
    return false;
  }
  const prefix = key.slice(0, key.indexOf('/') + 1);
  const missing = (NEEDED[prefix] ?? []).filter((field) => !(field in value));
  if (missing.length > 0) found(`${key} lacks ${missing.join(', ')}`);
  return missing.length === 0;
}

function checkInstance({ byKey }: Records, instance: InstanceRecord, found: Found): void {
  const { id, hostId, nic, projectId, imageId, kernelId, ramdiskId, hasUserData } = instance;
  const needs: readonly (readonly [string, string])[] = [
    [KEYS.host(hostId), 'its host'],
    [networkKeyOf(byKey, projectId, nic.networkId), 'its network'],
    [KEYS.capacity(hostId), 'the capacity that it takes'],
    [KEYS.image(imageId), 'its image'],
    ...(kernelId === undefined ? [] : [[KEYS.image(kernelId), 'its kernel'] as const]),
    ...(ramdiskId === undefined ? [] : [[KEYS.image(ramdiskId), 'its ramdisk'] as const]),
    ...(hasUserData === true ? [[KEYS.userData(id), 'its user data'] as const] : []),
  ];
  for (const [key, what] of needs) if (!byKey.has(key)) found(`instance/${id}: ${what}, ${key}, is not there`);
  for (const key of claimsOf(nic)) {
    const claim = byKey.get(key) as ClaimRecord | undefined;
    if (claim === undefined) found(`instance/${id}: it has no claim on ${key}`);
    else if (claim.owner !== id) found(`instance/${id}: ${key} belongs to ${claim.owner}`);
    else if (claim.releasedAtMs !== undefined) found(`instance/${id}: ${key} was given back while it has it`);
  }
}

function claimsOf({ networkId, address, mac, tap }: InstanceRecord['nic']): string[] {
  return [KEYS.address(networkId, address), KEYS.mac(mac), KEYS.interfaceName(tap)];
}

/** The reverse: what is claimed for an instance is what a live one has. */
function checkClaims(records: readonly StoredRecord[], { live }: Records, found: Found): void {
  const held = new Map(live.flatMap((instance) => claimsOf(instance.nic).map((key) => [key, instance.id])));
  for (const { key, value } of records) {
    if (!/^(address|mac|ifname)\//.test(key)) continue;
    const { owner, releasedAtMs } = value as ClaimRecord;
    if (releasedAtMs !== undefined || !owner.startsWith('i-') || held.get(key) === owner) continue;
    found(`${key} is claimed for ${owner}, which does not have it`);
  }
  const withData = new Set(live.filter(({ hasUserData }) => hasUserData === true).map(({ id }) => KEYS.userData(id)));
  for (const { key } of records) {
    if (key.startsWith('userdata/') && !withData.has(key)) found(`${key} belongs to no instance`);
  }
}

const CAPACITY = ['vcpus', 'memoryMib', 'diskGib'] as const;

function checkHosts(
  hosts: readonly HostRecord[],
  { byKey, live }: Records,
  reservations: readonly ReservationRecord[],
  found: Found,
): void {
  const coming = reservations.flatMap(({ remaining }) =>
    (remaining?.placements ?? []).flatMap(({ hostId }) => (remaining ? [{ ...remaining.template, hostId }] : [])),
  );
  const known = new Set(hosts.map(({ id }) => id));
  for (const host of hosts) {
    const { id, name, transport } = host;
    for (const key of [KEYS.hostName(name), KEYS.hostTransport(transport), KEYS.assign('compute', id)]) {
      if (!byKey.has(key)) found(`host/${id}: ${key} is not there`);
    }
    const takers = [...live, ...coming].filter(({ hostId }) => hostId === id);
    const used = (byKey.get(KEYS.capacity(id)) as CapacityRecord | undefined) ?? NO_CAPACITY;
    if (used.instances !== takers.length) {
      found(`capacity/${id} says ${used.instances} instances, the records say ${takers.length}`);
    }
    for (const field of CAPACITY) {
      const sum = takers.reduce((total, one) => total + one[field], 0);
      if (used[field] !== sum) found(`capacity/${id} says ${used[field]} ${field}, the records say ${sum}`);
    }
  }
  for (const key of byKey.keys()) {
    if (key.startsWith(PREFIX.capacity) && !known.has(key.slice(PREFIX.capacity.length))) {
      found(`${key} is of a host that is not there`);
    }
  }
}

/** Of what has its record under its id; tags go with it. */
const TAGGED: Readonly<Record<string, (id: string) => string>> = {
  image: KEYS.image,
  instance: KEYS.instance,
  snapshot: KEYS.snapshot,
  volume: KEYS.volume,
};

function checkTags(all: readonly TagsRecord[], { byKey }: Records, found: Found): void {
  for (const { resourceId, kind } of all) {
    const keyOf = TAGGED[kind];
    if (keyOf !== undefined && !byKey.has(keyOf(resourceId))) found(`${KEYS.tags(resourceId)} belongs to no ${kind}`);
  }
}

function checkImages(images: readonly ImageRecord[], { byKey }: Records, found: Found): void {
  for (const image of images) {
    const { id, kernelId, ramdiskId } = image;
    checkImageName(image, byKey, found);
    for (const part of [kernelId, ramdiskId]) {
      if (part !== undefined && !byKey.has(KEYS.image(part))) found(`image/${id}: its part ${part} is not there`);
    }
    checkImageBytes(image, byKey, found);
  }
  for (const key of byKey.keys()) {
    const id = key.startsWith(PREFIX.imageImport) ? key.slice(PREFIX.imageImport.length) : undefined;
    if (id !== undefined && !byKey.has(KEYS.image(id))) found(`${key} is of no image`);
  }
}

/** Bytes are there when it is available; as long as it is pending, something is there that will end it. */
function checkImageBytes(
  { id, state, blobKey, sha256 }: ImageRecord,
  byKey: ReadonlyMap<string, unknown>,
  found: Found,
): void {
  const isImported = byKey.has(KEYS.imageImport(id));
  const shown = state ?? 'available';
  if (isImported !== (state === 'pending'))
    found(`image/${id} is ${shown} and has ${isImported ? 'an import' : 'no import that would end it'}`);
  const lacksBytes = blobKey === '' || sha256 === '';
  if (lacksBytes === (state === undefined))
    found(`image/${id} is ${shown} and has ${lacksBytes ? 'no bytes' : 'bytes'}`);
}

/** One that was deregistered gave its name up, and another may have it. */
function checkImageName(
  { id, projectId, name, deregisteredAtMs }: ImageRecord,
  byKey: ReadonlyMap<string, unknown>,
  found: Found,
): void {
  if (deregisteredAtMs !== undefined) return;
  const named = byKey.get(KEYS.imageName(projectId, name)) as { imageId?: string } | undefined;
  if (named?.imageId !== id) found(`image/${id}: its name ${name} leads to ${named?.imageId ?? 'nothing'}`);
}
