import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3';
import { createS3Blobs, type S3BlobsParts } from '../../src/adapters/blobs/s3-blobs.ts';
import { SystemClock } from '../../src/base/clock.ts';
import { silentLogger } from '../../src/base/logger.ts';
import { SystemRandom, randomHex } from '../../src/base/random.ts';
import { freePorts } from './free-ports.ts';
import { TestCloud } from './test-cloud.ts';

const BUCKET = 'cloud-images';

/** A second novactl, in a process of its own, whose S3 is the endpoint of another cloud: by TLS, with the authority of its own. */
export class EndpointCloud {
  readonly cloud: TestCloud;
  readonly host: string;
  readonly port: number;
  readonly bucket = BUCKET;
  accessKeyId = '';
  secretAccessKey = '';

  private constructor(host: string, port: number) {
    this.host = host;
    this.port = port;
    this.cloud = new TestCloud({
      NOVACTL_DRIVERS: 'simulated',
      NOVACTL_METADATA_LISTEN: 'none',
      NOVACTL_OBJECTSTORE_LISTEN: `${host}:${port}`,
      NOVACTL_OBJECTSTORE_DOMAINS: 's3.example.org',
    });
  }

  /** On the address of this machine at which it is to be reached. */
  static async start(host = '127.0.0.1'): Promise<EndpointCloud> {
    const [port = 0] = await freePorts(1);
    const made = new EndpointCloud(host, port);
    await made.cloud.start();
    const key = await made.cloud.json<{ accessKeyId: string; secretAccessKey: string }>('key', 'create');
    made.accessKeyId = key.accessKeyId;
    made.secretAccessKey = key.secretAccessKey;
    await made.client().send(new CreateBucketCommand({ Bucket: BUCKET }));
    return made;
  }

  get url(): string {
    return `https://${this.host}:${this.port}`;
  }

  get caFile(): string {
    return join(this.cloud.dir, 'state', 'tls', 'ca.pem');
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
      NOVACTL_OBJECTSTORE_REGION: 'nova',
      NOVACTL_OBJECTSTORE_ACCESS_KEY_ID: this.accessKeyId,
      NOVACTL_OBJECTSTORE_SECRET_KEY_FILE: secretFile,
      NOVACTL_OBJECTSTORE_CA_FILE: this.caFile,
    };
  }

  /** The bucket as others see it. */
  client(): S3Client {
    const { accessKeyId, secretAccessKey } = this;
    return new S3Client({
      ...{ endpoint: this.url, region: 'nova', forcePathStyle: true, credentials: { accessKeyId, secretAccessKey } },
      requestHandler: { httpsAgent: { ca: this.ca } },
    });
  }

  /** What blobs in its bucket are made of; a prefix that nobody has used, unless another is given. */
  parts(changed: Partial<S3BlobsParts> = {}): S3BlobsParts {
    const random = new SystemRandom();
    const { url: endpoint, bucket, accessKeyId, secretAccessKey, ca } = this;
    return {
      ...{ endpoint, bucket, accessKeyId, secretAccessKey, ca, region: 'nova', addressing: 'path', timeoutMs: 60_000 },
      ...{ clock: new SystemClock(), random, logger: silentLogger, prefix: `${randomHex(random, 8)}/` },
      ...changed,
    };
  }

  blobs(changed: Partial<S3BlobsParts> = {}): ReturnType<typeof createS3Blobs> {
    return createS3Blobs(this.parts(changed));
  }

  async destroy(): Promise<void> {
    await this.cloud.destroy();
  }
}
