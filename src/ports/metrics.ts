/**
 * Every figure that a process tells of itself, in one table. Names follow Prometheus: seconds, bytes, `_total` for what only grows. What has a label
 * `host` has one series a host that this process works with.
 */
export const METRICS = {
  operation: timer('operation_seconds', 'time an operation took in this process', ['operation', 'code']),
  txn: timer('store_txn_seconds', 'time a transaction took: result is ok, conflict or an error code', ['result']),
  journalSync: timer('store_journal_sync_seconds', 'time the disk took to have a batch of transactions for good', []),
  storeRevision: reading('store_revision', 'last applied revision', []),
  storeKeys: reading('store_keys', 'keys in the replica', []),
  replicaLag: reading('store_replica_lag_seconds', 'reads may be so far behind what others have committed', []),
  storeUp: reading('store_up', '1: transactions can be committed', []),
  busUp: reading('bus_up', '1: messages can be sent and taken', []),
  busWaiting: reading('bus_waiting_messages', 'messages that wait in this process', []),
  busHandling: reading('bus_handling_messages', 'messages being handled in this process', []),
  busCall: timer('bus_call_seconds', 'time from a call to its answer: code is ok or an error code', ['type', 'code']),
  deadLetters: reading('bus_dead_letters', 'messages that nobody could handle', []),
  reconcileWaiting: reading('reconcile_waiting_instances', 'instances that wait to be looked at', []),
  reconcileLag: timer('reconcile_lag_seconds', 'time from the wish to look at an instance to the look', []),
  reconcile: timer('reconcile_seconds', 'time one look at an instance took', []),
  ownedHosts: reading('controller_owned_hosts', 'hosts that this process reconciles', []),
  openHosts: reading('worker_open_hosts', 'hosts that this process has open', []),
  hosts: reading('hosts', 'hosts by state', ['state']),
  instances: reading('instances', 'instances by state', ['state']),
  command: timer('worker_command_seconds', 'time a command took on its host: code is ok or an error code', [
    'verb',
    'code',
  ]),
  hostExec: timer('host_command_seconds', 'time a program took on a host, with the way there (SSH)', ['host']),
  hypervisorCall: timer('hypervisor_call_seconds', 'time a call to libvirt took, with the way there', ['host']),
  objectBytes: reading('objects_bytes', 'bytes of all versions of objects and of parts under way', []),
  objectsDamaged: reading('objects_damaged', 'objects that the last scrub found damaged', []),
  objectsFree: reading('objects_free_bytes', 'bytes that the disk of the objects still takes', []),
  s3Request: timer(
    's3_request_seconds',
    'time from a request to the last byte of its answer: code is ok or an error code',
    ['action', 'code'],
  ),
} as const satisfies Record<string, MetricDefinition>;

export type MetricKey = keyof typeof METRICS;
type LabelsOf<K extends MetricKey> = Readonly<Record<(typeof METRICS)[K]['labels'][number], string>>;
type KeysOf<Kind extends MetricDefinition['kind']> = {
  [K in MetricKey]: (typeof METRICS)[K]['kind'] extends Kind ? K : never;
}[MetricKey];
export type TimerKey = KeysOf<'timer'>;
export type ReadingKey = KeysOf<'reading'>;

export interface MetricDefinition {
  readonly kind: 'timer' | 'reading';
  /** Without the prefix `novactl_`. */
  readonly name: string;
  readonly help: string;
  readonly labels: readonly string[];
}

/** A value of a reading, and its labels. */
export interface Sample<K extends ReadingKey> {
  readonly labels: LabelsOf<K>;
  readonly value: number;
}

export interface Metrics {
  /** Something took so long; how often is counted with it. */
  time<K extends TimerKey>(key: K, tookMs: number, labels: LabelsOf<K>): void;
  /** Asked whenever somebody reads the figures. A second reader of the same key takes the place of the first. */
  read<K extends ReadingKey>(key: K, samples: () => readonly Sample<K>[] | Promise<readonly Sample<K>[]>): void;
  /** In the Prometheus text format, version 0.0.4. */
  text(): Promise<string>;
}

/** Nobody reads the figures of this process. */
export const NO_METRICS: Metrics = {
  time: () => undefined,
  read: () => undefined,
  text: () => Promise.resolve(''),
};

function timer<const L extends readonly string[]>(name: string, help: string, labels: L) {
  return { kind: 'timer', name, help, labels } as const;
}

function reading<const L extends readonly string[]>(name: string, help: string, labels: L) {
  return { kind: 'reading', name, help, labels } as const;
}
