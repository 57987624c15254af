import { readFileSync, writeFileSync } from 'node:fs';
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3';
import { createS3Blobs, type S3BlobsParts } from '../../src/adapters/blobs/s3-blobs.ts';
import { SystemClock } from '../../src/base/clock.ts';
import { silentLogger } from '../../src/base/logger.ts';
import { SystemRandom, randomHex } from '../../src/base/random.ts';

/** A bucket at an S3 server by TLS, in a process of its own, which is the object store of a cloud; whose server it is, its subclasses say. */
export abstract class EndpointBucket {
  readonly bucket = 'cloud-images';
  /** By which the server can also be asked for `BUCKET.NAME`; no name server knows it. */
  readonly domain = 's3.example.org';
  abstract readonly region: string;
  abstract readonly port: number;
  /** The authority of its certificate. */
  abstract readonly caFile: string;
  accessKeyId = '';
  secretAccessKey = '';
  /** Of this machine. */
  readonly host: string;

  protected constructor(host: string) {
    this.host = host;
  }

  /** The server dies at once. What it has answered for is still there when it is started again. */
  abstract kill9(): Promise<void>;
  abstract startAgain(): Promise<void>;
  abstract destroy(): Promise<void>;

  get url(): string {
    return `https://${this.host}:${this.port}`;
  }

  get ca(): Buffer {
    return readFileSync(this.caFile);
  }

  /** The environment of a cloud that keeps its images here. The key's secret goes into a file of that name. */
  settings(secretFile: string): Record<string, string> {
    writeFileSync(secretFile, `${this.secretAccessKey}\n`, { mode: 0o600 });
    return {
      NOVACTL_OBJECTSTORE_ENDPOINT: this.url,
      NOVACTL_OBJECTSTORE_BUCKET: this.bucket,
      NOVACTL_OBJECTSTORE_REGION: this.region,
      NOVACTL_OBJECTSTORE_ACCESS_KEY_ID: this.accessKeyId,
      NOVACTL_OBJECTSTORE_SECRET_KEY_FILE: secretFile,
      NOVACTL_OBJECTSTORE_CA_FILE: this.caFile,
    };
  }

  /** The server as others see it, with the bucket's key unless another is given. */
  client({ accessKeyId, secretAccessKey }: Pick<EndpointBucket, 'accessKeyId' | 'secretAccessKey'> = this): S3Client {
    const { url: endpoint, region } = this;
    return new S3Client({
      ...{ endpoint, region, forcePathStyle: true, credentials: { accessKeyId, secretAccessKey } },
      requestHandler: { httpsAgent: { ca: this.ca } },
    });
  }

  /** What blobs in its bucket are made of; a prefix that nobody has used, unless another is given. */
  parts(changed: Partial<S3BlobsParts> = {}): S3BlobsParts {
    const random = new SystemRandom();
    const { url: endpoint, bucket, region, accessKeyId, secretAccessKey, ca } = this;
    return {
      ...{ endpoint, bucket, accessKeyId, secretAccessKey, ca, region, addressing: 'path', timeoutMs: 60_000 },
      ...{ clock: new SystemClock(), random, logger: silentLogger, prefix: `${randomHex(random, 8)}/` },
      ...changed,
    };
  }

  blobs(changed: Partial<S3BlobsParts> = {}): ReturnType<typeof createS3Blobs> {
    return createS3Blobs(this.parts(changed));
  }

  protected async makeBucket(): Promise<void> {
    await this.client().send(new CreateBucketCommand({ Bucket: this.bucket }));
  }
}
