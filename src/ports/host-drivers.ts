import type { HostFacts, HostTransport } from '../domain/records.ts';
import type { DiskCaptures } from './disk-captures.ts';
import type { HostClaim } from './host-claim.ts';
import type { Hypervisor } from './hypervisor.ts';
import type { ImageStore } from './image-store.ts';
import type { NetworkBackend } from './network-backend.ts';

/** What a probe finds; nothing is changed by it. */
export type HostProbe = HostFacts;

export interface ConsoleSlice {
  readonly data: Buffer;
  readonly fromByte: number;
  readonly nextByte: number;
}

export interface ConsoleLogAsk {
  readonly cursor?: string | undefined;
  readonly tailBytes: number;
  readonly maxBytes: number;
}

export interface ConsoleLogSlice {
  readonly data: Buffer;
  /** Behind data; opaque. */
  readonly cursor: string;
  /** What lay between the asked cursor and data is gone. */
  readonly skipped: boolean;
  /** There is more behind data already. */
  readonly more: boolean;
}

/** All that a worker needs to serve one host. */
export interface HostDrivers {
  readonly hypervisor: Hypervisor;
  readonly network: NetworkBackend;
  readonly images: ImageStore;
  /** Absent: images of instances are made without the host (simulated ones). */
  readonly captures?: DiskCaptures;
  /** Before it is taken nobody hinders what the other drivers change: that is for probes alone. */
  readonly claim: HostClaim;
  probe(): Promise<HostProbe>;
  /** QEMU's user on the host. */
  qemuOwner(): Promise<{ readonly uid: number; readonly gid: number }>;
  /** Where the instance's serial console is logged. */
  consoleLogPath(instanceId: string): string;
  /** Negative fromByte: from the end. An absent log is empty. */
  readConsole(instanceId: string, fromByte: number, maxBytes: number): Promise<ConsoleSlice>;
  /** What is wrong with the host although it can be worked with, as a sentence. */
  warning?(): string | undefined;
  /** From where the cursor is, or else `tailBytes` before the end, across the files that the log was rotated into. Cursor '' is an empty log's. */
  readConsoleLog(instanceId: string, ask: ConsoleLogAsk): Promise<ConsoleLogSlice>;
  close(): Promise<void>;
}

/** With `serve` the host is also given what its guests need of us (the way to the metadata service); without, it is only looked at. */
export type OpenHostDrivers = (transport: HostTransport, serve?: { readonly hostId: string }) => Promise<HostDrivers>;
