/** What can be asked of an object without reading it. */
export interface ObjectHead {
  readonly sizeBytes: number;
  /** Without its quotes. */
  readonly etag: string;
  readonly modifiedAtMs: number;
  readonly contentType: string;
  readonly versionId?: string;
  /** Of all bytes, where there is one: the algorithm as S3 calls it (`CRC32`), base64. */
  readonly checksum?: { readonly algorithm: string; readonly value: string };
  /** `x-amz-meta-` names without that. */
  readonly metadata: Readonly<Record<string, string>>;
}
