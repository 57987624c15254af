import type { Duplex } from 'node:stream';

/** A disk, NIC and so on of a domain, decided in full: rendering adds nothing. */
export interface DomainSpec {
  /** = the instance id. */
  readonly name: string;
  readonly uuid: string;
  readonly virtType: 'kvm' | 'qemu';
  readonly memoryMib: number;
  readonly vcpus: number;
  readonly boot: { readonly kind: 'disk' } | DirectKernel;
  readonly disks: readonly DomainDisk[];
  readonly nics: readonly DomainNic[];
  /** File on the host that virtlogd appends the serial console to. */
  readonly consoleLogPath: string;
  /** Kept in <metadata>: which cloud and instance, and what generation was defined. */
  readonly metadata: { readonly cloudId: string; readonly instanceId: string; readonly generation: number };
}

export interface DirectKernel {
  readonly kind: 'kernel';
  readonly kernelPath: string;
  readonly initrdPath?: string;
  readonly cmdline: string;
}

export interface DomainDisk {
  readonly source: { readonly kind: 'file' | 'block'; readonly path: string };
  readonly format: 'raw' | 'qcow2';
  readonly target: string;
  readonly bus: 'virtio' | 'scsi';
  readonly serial?: string;
  readonly cache: 'none' | 'writeback';
  readonly readOnly?: boolean;
  /** Backing chain written out, so that libvirt does not probe (and relabel) it. */
  readonly backing?: { readonly path: string; readonly format: 'raw' | 'qcow2' };
}

export interface DomainNic {
  readonly mac: string;
  readonly bridge: string;
  readonly tap: string;
  readonly mtu?: number;
}

/** 'unknown' is also a domain whose start has not ended: look again. */
export type PowerState = 'running' | 'paused' | 'shutting-down' | 'shutoff' | 'crashed' | 'unknown';

/** Why a domain is off, in libvirt's words. */
export type ShutoffReason =
  'unknown' | 'shutdown' | 'destroyed' | 'crashed' | 'migrated' | 'saved' | 'failed' | 'snapshot' | 'daemon';

export interface DomainFact {
  readonly name: string;
  readonly uuid: string;
  readonly power: PowerState;
  /** Only when power is shutoff. */
  readonly reason?: ShutoffReason;
}

export interface HypervisorFacts {
  readonly hypervisor: string;
  readonly hypervisorVersion: string;
  readonly libvirtVersion: string;
  readonly hostname: string;
  readonly arch: string;
  readonly cpus: number;
  readonly memoryMib: number;
  /** Owner of disks: the DAC base label of the host's capabilities. */
  readonly qemuUid: number;
  readonly qemuGid: number;
}

export type HypervisorEvent =
  /** Something about the domain changed: look (an event is a hint). */
  | {
      readonly kind: 'domain';
      readonly name: string;
      readonly uuid: string;
      readonly power: PowerState;
      readonly reason?: ShutoffReason;
      readonly detail: string;
    }
  /** A connection stands (again): whatever happened before is unknown, take an inventory. */
  | { readonly kind: 'connected' }
  | { readonly kind: 'disconnected'; readonly problem: string };

/**
 * One host's hypervisor. All calls are idempotent where that can be: define of the same uuid replaces, start of a running
 * domain and destroy of a stopped one succeed, undefine of an absent one succeeds.
 * Errors: 'NotFound' (no such domain), 'AlreadyExists' (define: another domain has the name or the uuid; details {name, uuid}),
 * 'HypervisorError' (with libvirt's code and text in details), 'OperationNotPermitted' (no rights on that host's libvirt),
 * 'Unavailable' (no connection; details.outcome 'unknown' for a call under way, 'not-sent' otherwise), 'Timeout' (outcome likewise).
 */
export interface Hypervisor {
  facts(): Promise<HypervisorFacts>;
  /** Every domain, whoever made it, with its state: one call. */
  inventory(): Promise<DomainFact[]>;
  lookup(uuid: string): Promise<DomainFact | undefined>;
  define(spec: DomainSpec): Promise<void>;
  start(uuid: string): Promise<void>;
  /** Asks the guest by ACPI; returns at once. */
  shutdown(uuid: string): Promise<void>;
  /** Asks the guest by ACPI to reboot; returns at once. */
  reboot(uuid: string): Promise<void>;
  reset(uuid: string): Promise<void>;
  /** The guest stands still, and QEMU has written to its disks what it had in its caches. Of a paused guest: success. */
  suspend(uuid: string): Promise<void>;
  /** Of a running guest: success. */
  resume(uuid: string): Promise<void>;
  destroy(uuid: string): Promise<void>;
  undefine(uuid: string): Promise<void>;
  /**
   * The serial console's bytes, both ways, over a connection of its own. What nobody reads waits on the host (and stalls the guest when it writes
   * on); destroy() gives the console free. The stream ends ('end') when the domain stops, and fails with 'Conflict' when somebody took the
   * console over, 'Unavailable' when the host was lost.
   * Errors: 'Conflict' (somebody else has it; `force` takes it over), 'IncorrectState' (the domain is not running), and those above.
   */
  openConsole(uuid: string, options: { readonly force: boolean }): Promise<Duplex>;
  /** Connects now and keeps connected; events until closed. */
  watch(listener: (event: HypervisorEvent) => void): { close(): void };
  /** The same in virsh's words, for --verbose. */
  explain(
    verb: 'define' | 'start' | 'shutdown' | 'reboot' | 'reset' | 'suspend' | 'resume' | 'destroy' | 'undefine',
    name: string,
  ): string;
  close(): Promise<void>;
}
