import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { S3Client, GetObjectCommand } from '@aws-sdk/client-s3';
import { Upload } from '@aws-sdk/lib-storage';
import type { SandboxProcess } from '../ec2/sandbox-process.ts';

const MIB = 1024 * 1024;

export function sdkOf({ facts }: SandboxProcess): S3Client {
  return new S3Client({
    ...{ endpoint: facts.s3Url, region: facts.region, forcePathStyle: true, maxAttempts: 1 },
    credentials: { accessKeyId: facts.accessKeyId, secretAccessKey: facts.secretAccessKey },
  });
}

/** Bytes that nobody has in memory at once, every MiB another one. */
function* pieces(mib: number, seen: (piece: Buffer) => void): Generator<Buffer> {
  const block = Buffer.alloc(MIB, 'constant memory');
  for (let at = 0; at < mib; at += 1) {
    const piece = Buffer.from(block);
    piece.writeUInt32BE(at);
    seen(piece);
    yield piece;
  }
}

export interface Trip {
  readonly sent: string;
  readonly came: string;
  readonly upSeconds: number;
  readonly downSeconds: number;
}

/** So much goes up in parts and comes back, both as streams; SHA-256 of what went and of what came. */
export async function thereAndBack(
  client: S3Client,
  target: { readonly Bucket: string; readonly Key: string },
  { mib, partMib }: { readonly mib: number; readonly partMib: number },
): Promise<Trip> {
  const [sent, came] = [createHash('sha256'), createHash('sha256')];
  const startedMs = performance.now();
  const Body = Readable.from(
    pieces(mib, (piece) => void sent.update(piece)),
    { objectMode: false },
  );
  await new Upload({ client, params: { ...target, Body }, partSize: partMib * MIB, queueSize: 4 }).done();
  const upMs = performance.now();
  const { Body: back } = await client.send(new GetObjectCommand(target));
  if (!(back instanceof Readable)) throw new Error('the object has no bytes');
  for await (const chunk of back as AsyncIterable<Buffer>) came.update(chunk);
  return {
    ...{ sent: sent.digest('hex'), came: came.digest('hex') },
    ...{ upSeconds: (upMs - startedMs) / 1000, downSeconds: (performance.now() - upMs) / 1000 },
  };
}
