import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/logger.ts';
import type { Random } from '../base/random.ts';
import type { Capability } from '../domain/capabilities.ts';
import type { PlacementPolicy } from '../domain/placement.ts';
import type { CertificateAuthority } from '../ports/certificate-authority.ts';
import type { Blobs } from '../ports/blobs.ts';
import type { Bus } from '../ports/bus.ts';
import type { Directory } from '../ports/directory.ts';
import type { ImageObjects } from '../ports/image-objects.ts';
import type { ImageWorkshop } from '../ports/image-workshop.ts';
import type { Metrics } from '../ports/metrics.ts';
import type { Sealer } from '../ports/sealer.ts';
import type { StateArchives } from '../ports/state-archive.ts';
import type { Store } from '../ports/store.ts';
import type { VolumeBackend } from '../ports/volume-backend.ts';
import type { Observations } from './hosts/observations.ts';
import type { Ownership } from './hosts/ownership.ts';
import type { WorkerDirectory } from './hosts/worker-directory.ts';
import type { JobInput, JobReport, Reconcilers } from './maintenance/report.ts';
import type { ObjectKeeper } from './objects/object-keeper.ts';
import type { LeavingProject } from './objects/project-gate.ts';
import type { ServiceDirectory } from './services/service-directory.ts';

/** Settings that the controller's parts need, all defaults filled (compiled from the configuration). */
export interface ControllerPolicy {
  readonly region: string;
  /** All that the EC2 API serves, `region` among them. */
  readonly regions: readonly string[];
  readonly zone: string;
  readonly fixedRange: string;
  readonly subnetPrefix: number;
  /** Where public addresses come from; empty: there are none. */
  readonly publicRange: string;
  readonly dns: readonly string[];
  readonly domain: string;
  readonly mtu: number;
  readonly metadataPort: number;
  readonly placement: PlacementPolicy;
  readonly stopTimeoutMs: number;
  readonly terminatedKeepMs: number;
  readonly maxAttempts: number;
  readonly operationsKeepMs: number;
  /** Bytes that were sent and became no image are kept so long. */
  readonly uploadKeepMs: number;
  /** Image files on hosts whose image is gone are kept so long. */
  readonly imageCacheKeepMs: number;
  /** Backups that are kept. */
  readonly backupKeep: number;
  /** What this cloud's backends can do beside the needful. */
  readonly capabilities: readonly Capability[];
  /** What a directory elsewhere said of users and projects is asked again after this time. */
  readonly directoryCacheMs: number;
  /** Hosts are simulated: AddHost takes the transport of that name. */
  readonly simulatedHosts: boolean;
}

/** What the process says of itself. */
export interface ProcessFacts {
  /** Its name among the cloud's processes. */
  readonly name: string;
  /** New at every start. */
  readonly session: string;
  readonly version: string;
  readonly pid: number;
  readonly startedAtMs: number;
  readonly roles: readonly string[];
  readonly stateDir: string;
  readonly storeEngine: string;
  readonly busEngine: string;
}

/** The maintenance jobs of this process (maintenance/maintenance-runs.ts). */
export interface Maintenance {
  /** Names this process in the record of a run. */
  readonly session: string;
  /** A job is under way here. */
  readonly isBusy: boolean;
  attach(reconcilers: Reconcilers): void;
  isLive(running: { readonly session: string } | undefined): boolean;
  plan(cloud: ControllerContext, input: JobInput, principal: { readonly from: string }): Promise<JobReport>;
  begin(cloud: ControllerContext, input: JobInput, principal: { readonly from: string }, operationId: string): void;
  close(): Promise<void>;
}

/** What every part of the controller is given; made once, in src/launch. */
export interface ControllerContext {
  readonly store: Store;
  readonly bus: Bus;
  readonly blobs: Blobs;
  readonly sealer: Sealer;
  readonly authority: CertificateAuthority;
  readonly directory: Directory;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly policy: ControllerPolicy;
  readonly cloudId: string;
  readonly process: ProcessFacts;
  readonly observations: Observations;
  readonly workers: WorkerDirectory;
  readonly services: ServiceDirectory;
  /** In a process that is no controller: of nothing. */
  readonly ownership: Ownership;
  readonly archives: StateArchives;
  readonly maintenance: Maintenance;
  /** Absent: there are no volumes. */
  readonly volumes?: VolumeBackend;
  /** Absent: there are no objects that images could be made of. */
  readonly imageObjects?: ImageObjects;
  /** Of this process, opened when they are first asked for; answers undefined while there never were any. Absent: the process has not the role. */
  readonly objects?: () => Promise<ObjectKeeper | undefined>;
  /** Names of a project's buckets, where another process has the objects. Errors: 'Unavailable'. */
  readonly bucketsElsewhere?: (project: LeavingProject) => Promise<readonly string[]>;
  /** Absent: images are only what was sent ready for use. */
  readonly workshop?: ImageWorkshop;
  /** False: this process does not look at the host, so that its silence means nothing. Absent: it looks at all. */
  readonly looksAt?: (hostId: string) => boolean;
}

/** An address that was given back may be given again after this time: ARP caches and DHCP leases have then forgotten it. */
export const QUARANTINE_MS = 120_000;

/** A host that has not reported for this long is down. */
export const HOST_SILENT_MS = 60_000;
