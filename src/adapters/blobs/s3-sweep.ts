import {
  AbortMultipartUploadCommand,
  ListMultipartUploadsCommand,
  type ListMultipartUploadsCommandOutput,
  type MultipartUpload,
} from '@aws-sdk/client-s3';
import type { S3Endpoint } from './s3-endpoint.ts';
import type { S3Names } from './s3-names.ts';

/** What no name points to may be on its way to one; no upload takes so long. */
const ABANDONED_MS = 86_400_000;
const OURS = /^data\/[0-9a-f]{32}$/;

/**
 * Removes what processes that were killed left behind: bytes that nothing names and uploads that nobody ends, both only when they are older than a day by the
 * endpoint's clock. Answers how many.
 */
export async function sweepAbandoned(endpoint: S3Endpoint, names: S3Names, prefix: string): Promise<number> {
  const before = endpoint.nowMs() - ABANDONED_MS;
  // The bytes are looked at first: a name that comes meanwhile is of younger ones.
  const old = (await names.objects('data/')).filter(({ key, storedAtMs }) => OURS.test(key) && storedAtMs < before);
  const used = new Set(old.length === 0 ? [] : (await names.list('')).map(({ data }) => data));
  const unnamed = old.filter(({ key }) => !used.has(key));
  for (const { key } of unnamed) await names.delete(key);
  const uploads = await abandonedUploads(endpoint, prefix, before);
  for (const { Key, UploadId } of uploads) {
    const command = new AbortMultipartUploadCommand({ Bucket: endpoint.bucket, Key, UploadId });
    await endpoint.ask((client, options) => client.send(command, options));
  }
  return unnamed.length + uploads.length;
}

async function abandonedUploads(endpoint: S3Endpoint, prefix: string, before: number): Promise<MultipartUpload[]> {
  const found: MultipartUpload[] = [];
  let marker: { KeyMarker?: string | undefined; UploadIdMarker?: string | undefined } | undefined = {};
  while (marker !== undefined) {
    const command: ListMultipartUploadsCommand = new ListMultipartUploadsCommand({
      ...{ Bucket: endpoint.bucket, Prefix: `${prefix}data/` },
      ...marker,
    });
    const page: ListMultipartUploadsCommandOutput = await endpoint.ask((client, options) =>
      client.send(command, options),
    );
    const isOld = ({ Key, Initiated }: MultipartUpload): boolean =>
      OURS.test((Key ?? '').slice(prefix.length)) && (Initiated?.getTime() ?? Infinity) < before;
    found.push(...(page.Uploads ?? []).filter(isOld));
    const { NextKeyMarker: KeyMarker, NextUploadIdMarker: UploadIdMarker } = page;
    marker = page.IsTruncated === true && KeyMarker !== undefined ? { KeyMarker, UploadIdMarker } : undefined;
  }
  return found;
}
