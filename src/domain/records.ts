import type { PasswordHash } from '../base/password-hash.ts';
import type { RoleName } from './access-rules.ts';
import type { InstanceRecord } from './instance.ts';
import type { LaunchVolume } from './volume.ts';

export type { NetworkRecord } from './network.ts';

/** Records other than the instance. Each carries `v`; unknown fields are kept, since changes copy the whole record. */

export interface CloudRecord {
  readonly v: 1;
  readonly cloudId: string;
  readonly createdAtMs: number;
}

/** What a state of before has not (all but id and account) is as for the first project: the user admin manages it and is its only member. */
export interface ProjectRecord {
  readonly v: 1;
  readonly id: string;
  /** 12 digits, as EC2 shows owners; one project alone has them (AccountRecord). */
  readonly accountId: string;
  readonly createdAtMs: number;
  readonly description?: string;
  readonly manager?: string;
  /** User names, the manager among them. */
  readonly members?: readonly string[];
  /** User name -> roles in this project. */
  readonly roles?: Readonly<Record<string, readonly RoleName[]>>;
}

/** Which project has an account id. */
export interface AccountRecord {
  readonly v: 1;
  readonly projectId: string;
}

export interface UserRecord {
  readonly v: 1;
  readonly id: string;
  readonly roles: readonly RoleName[];
  readonly createdAtMs: number;
  readonly displayName?: string;
  readonly email?: string;
  /** Absent: true. */
  readonly enabled?: boolean;
  readonly password?: PasswordHash;
}

/** What signs requests in a user's name. */
export interface AccessKeyRecord {
  readonly v: 1;
  /** 20 upper-case letters and digits, beginning with AKIA; or what an administrator chose, 1 to 128 letters and digits. */
  readonly id: string;
  readonly userId: string;
  readonly projectId: string;
  /** Sealed for this record's key. */
  readonly sealedSecret: string;
  readonly createdAtMs: number;
  readonly active: boolean;
  /** The secret was answered, which happens once. The first identity's key waits for whoever asks first. */
  readonly issued: boolean;
  /** It was rotated: from then on it signs nothing. */
  readonly expiresAtMs?: number;
}

export interface SealCheckRecord {
  readonly v: 1;
  readonly sealed: string;
}

/** One SSH server: how to reach it, and the only host key that is accepted there (RFC 4253 §6.6: its type and base64 text). */
export interface SshServer {
  /** Name or address. */
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly hostKey: { readonly type: string; readonly base64: string };
}

/** `cloud`: the key that this cloud made for itself in its state folder. `file`: a key file, `agent`: an agent's socket, where the worker runs. */
export type SshLogin =
  | { readonly kind: 'cloud' }
  | { readonly kind: 'file'; readonly path: string }
  | { readonly kind: 'agent'; readonly socket: string };

export interface SshTransport extends SshServer {
  readonly kind: 'ssh';
  readonly login: SshLogin;
  /** Commands run by `sudo -n`. */
  readonly sudo: boolean;
  /** A server to go through, with the same login. */
  readonly jump?: SshServer | undefined;
}

/** `simulated` exists only where the configuration says `drivers: simulated`. */
export type HostTransport =
  { readonly kind: 'local' } | SshTransport | { readonly kind: 'simulated'; readonly name: string };
export type HostState = 'up' | 'down' | 'maintenance' | 'draining';

/** What a host said of itself when it was last looked at. */
export interface HostFacts {
  readonly hostname: string;
  readonly architecture: 'x86_64' | 'arm64';
  readonly cpus: number;
  readonly memoryMib: number;
  readonly diskGib: number;
  readonly virtType: 'kvm' | 'qemu';
  readonly virtReason: string;
  readonly hypervisor: string;
  readonly hypervisorVersion: string;
  readonly libvirtVersion: string;
  /** IPv4 networks that the host routed when it was added, ours left out. */
  readonly routes: readonly string[];
}

export interface HostRecord {
  readonly v: 1;
  readonly id: string;
  readonly name: string;
  readonly transport: HostTransport;
  readonly roles: readonly ('compute' | 'storage' | 'network')[];
  readonly zone: string;
  /** What the administrator wants; `up` hosts get instances. Whether it answers is observed, not recorded. */
  readonly state: 'up' | 'maintenance' | 'draining';
  /** The administrator gave it up: its instances end as terminated, and with the last of them this record goes. */
  readonly lost?: { readonly operationId: string; readonly atMs: number };
  readonly facts: HostFacts;
  readonly addedAtMs: number;
}

/**
 * Which worker serves a host's role; every command carries the epoch. The epoch is raised before a host is opened in another session of a worker:
 * the host then refuses what the session before it still has under way.
 */
export interface AssignRecord {
  readonly v: 1;
  readonly workerId: string;
  /** Of the worker; absent until the host was first opened. */
  readonly session?: string;
  readonly epoch: number;
  /** The last adoption of a restored store that it was opened after (AdoptedRecord.id). */
  readonly adoption?: string;
}

/**
 * Which controller reconciles a host. Guarded in every transaction that is made for the host, so that one that was paused and overtaken writes
 * nothing. Not leased: it may be taken over, with the next epoch, when `alive/controller/<controllerId>` is gone or holds another session.
 */
export interface OwnRecord {
  readonly v: 1;
  readonly controllerId: string;
  /** Of the controller's process. */
  readonly session: string;
  readonly epoch: number;
}

/** `alive/<role>/<serviceId>`. */
export interface AliveRecord {
  readonly v: 1;
  readonly session: string;
}

/** SHA-256 (hex) of the public SSH key and of the authority's certificate that all processes of the cloud must have. */
export interface SharedSecretsRecord {
  readonly v: 1;
  readonly sshKey: string;
  readonly authority: string;
}

/** What an administrator has decided about a process; absent: nothing. */
export interface ServiceRecord {
  readonly v: 1;
  readonly serviceId: string;
  /** disabled: it gets nothing new; draining: and what it has is moved to others. */
  readonly state: 'enabled' | 'disabled' | 'draining';
  readonly reason?: string;
  readonly atMs: number;
}

/** The cloud waits for somebody to adopt a restored store (`novactl state adopt`). */
export interface HeldRecord {
  readonly v: 1;
  readonly sinceMs: number;
  readonly reason: string;
  readonly knownRev: number;
  readonly rev: number;
}

/** A restored store was adopted: what was noticed then, and when that was over. */
export interface AdoptedRecord extends Omit<HeldRecord, 'v'> {
  readonly v: 1;
  /** Of this adoption among all. */
  readonly id: string;
  readonly atMs: number;
}

/** An import that is under way, or was cut off. */
export interface ImportingRecord {
  readonly v: 1;
  /** Of the export's records. */
  readonly sha256: string;
  readonly records: number;
  readonly sinceMs: number;
}

/** What is claimed of a host; one key a host, changed with the instance that claims it. */
export interface CapacityRecord {
  readonly v: 1;
  readonly instances: number;
  readonly vcpus: number;
  readonly memoryMib: number;
  readonly diskGib: number;
}

export const NO_CAPACITY: CapacityRecord = { v: 1, instances: 0, vcpus: 0, memoryMib: 0, diskGib: 0 };

export interface InstanceTypeRecord {
  readonly v: 1;
  readonly name: string;
  readonly vcpus: number;
  readonly memoryMib: number;
  readonly diskGib: number;
}

export interface ImageRecord {
  readonly v: 1;
  readonly id: string;
  readonly name: string;
  readonly kind: 'machine' | 'kernel' | 'ramdisk';
  /** Absent: available. While it is pending there is an ImageImportRecord, and blobKey and sha256 are empty and sizes 0; a failed one keeps them so. */
  readonly state?: 'pending' | 'failed';
  /** Why it failed: for people, and a code of base/error-codes.ts. */
  readonly stateReason?: { readonly code: string; readonly message: string };
  /** From then on it is listed only to who asks for it; it can be started still. */
  readonly deprecatedAtMs?: number;
  /** It was deregistered while instances needed it: nobody finds it any more, and it goes with the last of them. */
  readonly deregisteredAtMs?: number;
  /** Where it was registered from, as its owner said: `bucket/key`. */
  readonly location?: string;
  readonly projectId: string;
  /** Who registered it, when that is a user: whose own quota it counts in. */
  readonly user?: string;
  readonly public: boolean;
  readonly architecture: 'x86_64' | 'arm64';
  readonly format: 'raw' | 'qcow2' | 'kernel' | 'ramdisk';
  readonly blobKey: string;
  readonly sizeBytes: number;
  readonly virtualSizeBytes: number;
  readonly sha256: string;
  readonly kernelId?: string;
  readonly ramdiskId?: string;
  readonly kernelArgs?: string;
  readonly description?: string;
  /** What runs in it, where it is not Linux: `windows`. */
  readonly platform?: string;
  readonly rootDeviceName?: string;
  readonly virtualizationType?: 'hvm' | 'paravirtual';
  /** Other projects that may start it, beside all when it is public. */
  readonly launchProjects?: readonly string[];
  /** The instance or image that it was made of. */
  readonly sourceId?: string;
  /** What its owner should know of its bytes: `converted from vmdk`. */
  readonly notes?: readonly string[];
  readonly createdAtMs: number;
}

export interface KeyPairRecord {
  readonly v: 1;
  readonly id: string;
  readonly name: string;
  readonly projectId: string;
  /** Who made it, when that is a user: whose own quota it counts in. */
  readonly user?: string;
  readonly keyType: 'ed25519' | 'rsa';
  readonly fingerprint: string;
  /** One OpenSSH line. */
  readonly publicKey: string;
  readonly createdAtMs: number;
}

/** Tags of one resource, whatever it is. */
export interface TagsRecord {
  readonly v: 1;
  readonly resourceId: string;
  /** EC2's word for what it is: instance, volume, image, key-pair, vpc… */
  readonly kind: string;
  readonly projectId: string;
  readonly tags: Readonly<Record<string, string>>;
}

/** Who holds an address, MAC, interface name or subnet. With releasedAtMs it is in quarantine until it may be given again. */
export interface ClaimRecord {
  readonly v: 1;
  readonly owner: string;
  readonly releasedAtMs?: number;
}

/** One RunInstances call; instances that did not fit its first transaction are still to be made. */
export interface ReservationRecord {
  readonly v: 1;
  readonly id: string;
  readonly projectId: string;
  readonly instanceIds: readonly string[];
  readonly createdAtMs: number;
  /** What did not fit the first transaction; whoever holds the controller role makes these records. */
  readonly remaining?: {
    readonly template: InstanceTemplate;
    readonly placements: readonly {
      readonly instanceId: string;
      readonly launchIndex: number;
      readonly hostId: string;
      readonly volumeIds?: readonly string[];
    }[];
  };
}

/** What the instances of one reservation have in common. */
export interface InstanceTemplate extends Pick<
  InstanceRecord,
  | 'reservationId'
  | 'projectId'
  | 'user'
  | 'name'
  | 'imageId'
  | 'kernelId'
  | 'ramdiskId'
  | 'typeName'
  | 'vcpus'
  | 'memoryMib'
  | 'rootDiskBytes'
  | 'diskGib'
  | 'keyName'
  | 'publicKey'
  | 'architecture'
  | 'platform'
  | 'rootDeviceName'
  | 'virtualizationType'
  | 'clientToken'
  | 'groupIds'
  | 'disableApiTermination'
  | 'disableApiStop'
  | 'shutdownBehavior'
> {
  readonly operationId: string;
  /** Of each instance; kept under a key of their own. */
  readonly tags?: Readonly<Record<string, string>>;
  /** The network that they are in; absent: the project's first. */
  readonly networkId?: string;
  /** The address that was asked for, of the only instance. */
  readonly privateIpAddress?: string;
  /** Base64; kept beside the record, under a key of its own. */
  readonly userData?: string;
  /** Volumes that each instance gets, and their tags. */
  readonly volumes?: readonly LaunchVolume[];
  readonly volumeTags?: Readonly<Record<string, string>>;
}

export interface UserDataRecord {
  readonly v: 1;
  /** Base64. */
  readonly data: string;
}

export interface OperationStep {
  readonly target: string;
  readonly step: string;
  readonly atMs: number;
  readonly tookMs?: number;
  readonly error?: string;
  /** While it is under way. */
  readonly progress?: { readonly doneBytes: number; readonly totalBytes?: number };
}

export interface OperationRecord {
  readonly v: 1;
  readonly id: string;
  readonly name: string;
  readonly status: 'running' | 'succeeded' | 'failed';
  readonly principal: string;
  readonly projectId: string;
  readonly from: string;
  readonly reason?: string;
  readonly inputDigest: string;
  readonly startedAtMs: number;
  readonly endedAtMs?: number;
  readonly targets: readonly string[];
  readonly pending: readonly string[];
  readonly steps: readonly OperationStep[];
  readonly error?: { readonly code: string; readonly message: string };
}

/** The answer that a repeated ClientToken gets. */
export interface TokenRecord {
  readonly v: 1;
  readonly digest: string;
  readonly operationId: string;
  /** JSON text of the answer; absent where the answer holds a secret. */
  readonly answer?: string;
  readonly atMs: number;
}
