import { isoTime } from '../../../base/clock.ts';
import type { MetadataView } from './metadata-view.ts';

/** A file of the tree: its bytes. */
export interface MetadataLeaf {
  readonly kind: 'leaf';
  readonly body: string | Buffer;
}

/** A directory: its entries in the order they are listed. */
export interface MetadataDirectory {
  readonly kind: 'directory';
  readonly entries: ReadonlyMap<string, MetadataNode>;
  /** What to list instead of the entries' names. */
  readonly listing?: readonly string[];
}

export type MetadataNode = MetadataLeaf | MetadataDirectory;

/**
 * The versions that EC2 had until 2010, later ones that clients ask for by name (cloud-init, cloudbase-init, the AWS SDKs and
 * agents), and `latest`. All show the same tree: EC2 has only ever added to it.
 */
export const METADATA_VERSIONS = [
  '1.0',
  '2007-01-19',
  '2007-03-01',
  '2007-08-29',
  '2007-10-10',
  '2007-12-15',
  '2008-02-01',
  '2008-09-01',
  '2009-04-04',
  '2011-01-01',
  '2011-05-01',
  '2012-01-12',
  '2014-02-25',
  '2014-11-05',
  '2015-10-20',
  '2016-04-19',
  '2016-06-30',
  '2016-09-02',
  '2018-03-28',
  '2018-08-17',
  '2018-09-24',
  '2019-10-01',
  '2020-10-27',
  '2021-01-03',
  '2021-03-23',
  '2021-07-15',
  '2022-09-24',
  'latest',
] as const;

/** undefined and empty directories are left out. */
type Draft = string | Buffer | MetadataNode | { readonly [name: string]: Draft } | undefined;

function isNode(draft: object): draft is MetadataNode {
  return 'kind' in draft && (draft.kind === 'leaf' || draft.kind === 'directory');
}

function toNode(draft: Draft): MetadataNode | undefined {
  if (draft === undefined) return undefined;
  if (typeof draft === 'string' || Buffer.isBuffer(draft)) return { kind: 'leaf', body: draft };
  if (isNode(draft)) return draft;
  const entries = new Map<string, MetadataNode>();
  for (const [name, child] of Object.entries(draft)) {
    const node = toNode(child);
    if (node !== undefined) entries.set(name, node);
  }
  return entries.size === 0 ? undefined : { kind: 'directory', entries };
}

/** `public-keys/` lists `0=name`, though the path below it is `0/openssh-key`. */
function publicKeys(view: MetadataView): MetadataNode | undefined {
  if (view.publicKeys.length === 0) return undefined;
  const entries = view.publicKeys.flatMap(({ openssh }, index) => {
    const node = toNode({ 'openssh-key': openssh });
    return node === undefined ? [] : [[String(index), node] as const];
  });
  const listing = view.publicKeys.map(({ name }, index) => `${index}=${name}`);
  return { kind: 'directory', entries: new Map(entries), listing };
}

function interfaces(view: MetadataView): Draft {
  return {
    [view.mac]: {
      'device-number': '0',
      'local-hostname': view.hostname,
      'local-ipv4s': view.localIpv4,
      mac: view.mac,
      'owner-id': view.accountId,
      'public-ipv4s': view.publicIpv4,
      'security-groups': groups(view),
    },
  };
}

function groups(view: MetadataView): string | undefined {
  return view.securityGroups.length === 0 ? undefined : view.securityGroups.join('\n');
}

function metaData(view: MetadataView): Draft {
  return {
    'ami-id': view.imageId,
    'ami-launch-index': String(view.launchIndex),
    // Images here have no manifest; EC2 says the same for those of EBS.
    'ami-manifest-path': '(unknown)',
    'block-device-mapping': { ami: 'vda', root: '/dev/vda' },
    hostname: view.hostname,
    'instance-action': 'none',
    'instance-id': view.instanceId,
    'instance-type': view.instanceType,
    'kernel-id': view.kernelId,
    'local-hostname': view.hostname,
    'local-ipv4': view.localIpv4,
    mac: view.mac,
    network: { interfaces: { macs: interfaces(view) } },
    placement: { 'availability-zone': view.zone, region: view.region },
    'public-ipv4': view.publicIpv4,
    'public-keys': publicKeys(view),
    'ramdisk-id': view.ramdiskId,
    'reservation-id': view.reservationId,
    'security-groups': groups(view),
  };
}

/** EC2's instance identity document (unsigned: there is no `signature` or `pkcs7` beside it). */
function identityDocument(view: MetadataView): string {
  const document = {
    accountId: view.accountId,
    architecture: view.architecture,
    availabilityZone: view.zone,
    billingProducts: null,
    devpayProductCodes: null,
    marketplaceProductCodes: null,
    imageId: view.imageId,
    instanceId: view.instanceId,
    instanceType: view.instanceType,
    kernelId: view.kernelId ?? null,
    pendingTime: isoTime(view.launchTimeMs).replace(/\.\d{3}Z$/, 'Z'),
    privateIp: view.localIpv4,
    ramdiskId: view.ramdiskId ?? null,
    region: view.region,
    version: '2017-09-30',
  };
  return JSON.stringify(document, null, 2);
}

const EMPTY: MetadataDirectory = { kind: 'directory', entries: new Map() };

/** The tree below one version. */
export function metadataTree(view: MetadataView): MetadataDirectory {
  const tree = toNode({
    dynamic: { 'instance-identity': { document: identityDocument(view) } },
    'meta-data': metaData(view),
    'user-data': view.userData,
  });
  return tree?.kind === 'directory' ? tree : EMPTY;
}

/** One entry a line, directories with a slash, no line end after the last. */
export function renderListing(directory: MetadataDirectory): string {
  const names = [...directory.entries].map(([name, node]) => (node.kind === 'directory' ? `${name}/` : name));
  return (directory.listing ?? names).join('\n');
}

/**
 * What stands at a URL path (without a query), for this instance: the listing of a directory, with or without the slash at its
 * end, or the bytes of a leaf; undefined when there is nothing. Names are compared as they are: nothing in the tree needs escapes.
 */
export function readMetadata(view: MetadataView, path: string): string | Buffer | undefined {
  const [version, ...names] = path.split('/').filter((part) => part !== '');
  if (version === undefined) return METADATA_VERSIONS.join('\n');
  if (!METADATA_VERSIONS.some((known) => known === version)) return undefined;
  let node: MetadataNode | undefined = metadataTree(view);
  for (const name of names) node = node?.kind === 'directory' ? node.entries.get(name) : undefined;
  if (node === undefined) return undefined;
  if (node.kind === 'directory') return renderListing(node);
  return path.endsWith('/') ? undefined : node.body;
}
