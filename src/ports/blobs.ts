import type { Readable } from 'node:stream';

export interface BlobInfo {
  readonly key: string;
  readonly sizeBytes: number;
  /** Lower-case hex. */
  readonly sha256: string;
  /** When it came, where that is known. Only `list` says it. */
  readonly storedAtMs?: number;
}

/** Image bytes and other large things. Keys are ours ([A-Za-z0-9._/-], no `..`); what is visible is whole and synced. */
export interface Blobs {
  /**
   * Stores the stream under the key; replaces what was there, atomically. With expectSha256 a different digest is refused
   * (CloudError 'InvalidParameterValue') and nothing is stored.
   */
  put(key: string, body: Readable, options?: { expectSha256?: string; maxBytes?: number }): Promise<BlobInfo>;
  /** CloudError 'NotFound' when absent. */
  head(key: string): Promise<BlobInfo>;
  /** Bytes from `start` (default 0) to `end` exclusive. CloudError 'NotFound' when absent. */
  read(key: string, range?: { start?: number; end?: number }): Promise<Readable>;
  /** Absent is success. */
  delete(key: string): Promise<void>;
  list(prefix: string): Promise<BlobInfo[]>;
  /**
   * A URL from which anybody who knows it may GET the blob for `expiresS` seconds: whoever logs it gives it away. Absent where bytes are not at an HTTP endpoint.
   * CloudError 'NotFound' when the blob is absent, where that is known.
   */
  presign?(key: string, expiresS: number): Promise<string>;
  /** PEM of the authorities that the endpoint of such URLs is trusted by, in place of those that a machine has of its own; absent: those. */
  readonly presignCa?: string;
}
