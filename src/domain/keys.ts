import { unreachable } from '../base/assert.ts';
import type { HostTransport } from './records.ts';

/**
 * Where each record lives in the store. One key a resource that can be taken by one owner only, so that
 * "create if absent" in the transaction of what uses it is the whole of allocation.
 */
export const KEYS = {
  cloud: 'cloud',
  /** A known text, sealed: tells whether the seal key at hand is the one that secrets here were sealed by. */
  sealCheck: 'seal-check',
  /** Which SSH key and authority the processes of the cloud share. */
  sharedSecrets: 'shared-secrets',
  project: (id: string) => `project/${id}`,
  /** The project that has an account id. */
  account: (accountId: string) => `account/${accountId}`,
  user: (id: string) => `user/${id}`,
  /** Written by whatever begins to name the user, so that its removal, decided meanwhile, is decided again. */
  userUse: (id: string) => `user-use/${id}`,
  /** Written by each change of users, projects and roles: what was remembered of them is asked for again. */
  directoryChange: 'directory-change',
  quota: (projectId: string, user?: string) => `quota/${projectId}/${user ?? ''}`,
  usage: (projectId: string, user?: string) => `usage/${projectId}/${user ?? ''}`,
  tags: (resourceId: string) => `tags/${resourceId}`,
  accessKey: (id: string) => `access-key/${id}`,
  accessKeyUse: (id: string) => `access-key-use/${id}`,
  userCertificate: (serial: string) => `user-certificate/${serial}`,
  /** The cloud's RSA key that bundles of images are encrypted for. */
  bundlingKey: 'bundling-key',
  host: (id: string) => `host/${id}`,
  hostName: (name: string) => `host-name/${name}`,
  /** Which host record a machine has. */
  hostTransport: (transport: HostTransport) => `host-transport/${transport.kind}${machineOf(transport)}`,
  assign: (role: string, hostId: string) => `assign/${role}/${hostId}`,
  /** Which controller reconciles a host. */
  own: (hostId: string) => `own/${hostId}`,
  /** Goes when the process does: it is written with a lease. */
  alive: (role: string, serviceId: string) => `alive/${role}/${serviceId}`,
  /** Which process has the objects, where several could; leased too. */
  objectsHolder: 'alive/objectstore',
  /** What an administrator has decided about a process. */
  service: (serviceId: string) => `service/${serviceId}`,
  capacity: (hostId: string) => `capacity/${hostId}`,
  type: (name: string) => `type/${name}`,
  image: (id: string) => `image/${id}`,
  /** Written by whatever begins to use the image, so that its removal, decided meanwhile, is decided again. */
  imageUse: (id: string) => `image-use/${id}`,
  imageImport: (id: string) => `image-import/${id}`,
  imageName: (projectId: string, name: string) => `image-name/${projectId}/${name}`,
  keyPair: (projectId: string, name: string) => `keypair/${projectId}/${name}`,
  /** A project's first network. */
  network: (projectId: string) => `network/${projectId}`,
  /** A network that was made as a subnet of a VPC. */
  subnetNetwork: (projectId: string, networkId: string) => `network/${projectId}/${networkId}`,
  vpc: (projectId: string, id: string) => `vpc/${projectId}/${id}`,
  internetGateway: (projectId: string, id: string) => `internet-gateway/${projectId}/${id}`,
  securityGroup: (projectId: string, id: string) => `security-group/${projectId}/${id}`,
  securityGroupName: (vpcId: string, name: string) => `security-group-name/${vpcId}/${name}`,
  /** Written by whatever begins to use a group or a subnet of the project, so that a removal, decided meanwhile, is decided again. */
  networkUse: (projectId: string) => `network-use/${projectId}`,
  subnet: (cidr: string) => `subnet/${cidr}`,
  address: (networkId: string, address: string) => `address/${networkId}/${address}`,
  mac: (mac: string) => `mac/${mac}`,
  interfaceName: (name: string) => `ifname/${name}`,
  reservation: (id: string) => `reservation/${id}`,
  instance: (id: string) => `instance/${id}`,
  /** The public address that an instance has. */
  instanceAddress: (instanceId: string) => `instance-address/${instanceId}`,
  /** Which volumes an instance has, by device. */
  instanceVolumes: (instanceId: string) => `instance-volumes/${instanceId}`,
  userData: (instanceId: string) => `userdata/${instanceId}`,
  operation: (id: string) => `operation/${newestFirst(id)}`,
  publicAddress: (address: string) => `public-address/${address}`,
  snapshot: (id: string) => `snapshot/${id}`,
  volume: (id: string) => `volume/${id}`,
  maintenance: (job: string) => `maintain/job/${job}`,
  maintenancePause: 'maintain/pause',
  restored: 'restored',
  /** While it is there nothing is changed anywhere: the store was restored from an older copy, and nobody has adopted it yet. */
  held: 'held',
  /** The last adoption of a restored store. */
  adopted: 'adopted',
  /** While it is there an import has not ended: no cloud runs on the store. */
  importing: 'importing',
  token: (projectId: string, name: string, token: string) => `token/${projectId}/${name}/${token}`,
} as const;

export const PREFIX = {
  project: 'project/',
  accessKey: 'access-key/',
  host: 'host/',
  own: 'own/',
  assign: 'assign/',
  aliveControllers: 'alive/controller/',
  service: 'service/',
  capacity: 'capacity/',
  type: 'type/',
  image: 'image/',
  imageImport: 'image-import/',
  keyPair: 'keypair/',
  network: 'network/',
  vpc: 'vpc/',
  internetGateway: 'internet-gateway/',
  securityGroup: 'security-group/',
  address: 'address/',
  instance: 'instance/',
  operation: 'operation/',
  publicAddress: 'public-address/',
  snapshot: 'snapshot/',
  volume: 'volume/',
  token: 'token/',
  quota: 'quota/',
  reservation: 'reservation/',
  tags: 'tags/',
  usage: 'usage/',
  user: 'user/',
  userCertificate: 'user-certificate/',
} as const;

function machineOf(transport: HostTransport): string {
  switch (transport.kind) {
    case 'local':
      return '';
    case 'ssh':
      return `/${transport.host}:${transport.port}`;
    case 'simulated':
      return `/${transport.name}`;
    default:
      return unreachable(transport);
  }
}

/**
 * Operation ids begin with their time (12 hex digits of milliseconds). In keys the digits are inverted, so that
 * the store's ascending order lists the newest operation first.
 */
function newestFirst(operationId: string): string {
  const digits = operationId.slice(3);
  return [...digits].map((digit) => (15 - Number.parseInt(digit, 16)).toString(16)).join('');
}

/** An operation's id: `op-`, 12 hex digits of the time, 5 of chance. */
export function operationIdAt(nowMs: number, chanceHex: string): string {
  return `op-${Math.floor(nowMs).toString(16).padStart(12, '0').slice(-12)}${chanceHex.slice(0, 5)}`;
}
