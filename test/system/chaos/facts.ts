/** One change that a client asked for, by one token, and what it knows of it. */
export interface Asked {
  readonly client: string;
  readonly token: string;
  readonly operation:
    | 'RunInstances'
    | 'StopInstances'
    | 'StartInstances'
    | 'RebootInstances'
    | 'TerminateInstances'
    | 'CreateKeyPair'
    | 'DeleteKeyPair';
  /** Instances or the name of a key pair. */
  readonly targets: readonly string[];
  /** Milliseconds since 1970. */
  readonly beganMs: number;
  readonly endedMs: number;
  /** unknown: it may have happened. */
  readonly outcome: 'done' | 'refused' | 'unknown';
  /** Of the last answer that was an error. */
  readonly code?: string;
  readonly instanceIds?: readonly string[];
  readonly reservationId?: string;
  readonly operationId?: string;
}

/** What a host has, asked of the host itself. */
export interface HostFacts {
  readonly name: string;
  readonly domains: readonly { readonly name: string; readonly state: string }[];
  readonly qemus: number;
  /** Folders of instances. */
  readonly disks: readonly string[];
  readonly taps: readonly string[];
  readonly bridges: readonly string[];
  /** Each bridge with a DHCP server. */
  readonly dhcpServers: number;
  /** `mac,address`, of every hosts file. */
  readonly dhcp: readonly string[];
  /** Taps with a chain of their own that guards them. */
  readonly guards: readonly string[];
  /** Marks (host:epoch:session) of processes that run there for the cloud, and of SSH servers that are noted. */
  readonly marks: readonly string[];
  /** What the host itself says of who may change it. */
  readonly claim: { readonly hostId: string; readonly epoch: number; readonly session: string } | undefined;
}

export type KeptRecord = Readonly<Record<string, unknown>>;

export interface DeadLetterFact {
  readonly topic: string;
  readonly type: string;
  readonly reason: string;
}

export interface LogLine {
  readonly process: string;
  readonly line: string;
}

/** All that an auditor goes by. Nothing here was asked of the code that is audited, but what its apis answered. */
export interface Facts {
  /** By key, from etcd. */
  readonly records: Readonly<Record<string, KeptRecord>>;
  readonly hosts: readonly HostFacts[];
  /** The processes that run, by name. */
  readonly processes: readonly string[];
  /** By api: instance -> state, host and address. */
  readonly reads: Readonly<Record<string, Readonly<Record<string, string>>>>;
  readonly deadLetters: readonly DeadLetterFact[];
  readonly logs: readonly LogLine[];
  readonly asked: readonly Asked[];
  /** Answers that a client could not believe. */
  readonly wrong: readonly string[];
}
