import { join } from 'node:path';
import { EndpointBucket } from './endpoint-bucket.ts';
import { freePorts } from './free-ports.ts';
import { TestCloud } from './test-cloud.ts';

/** A second novactl, in a process of its own, whose S3 is the endpoint of another cloud: by TLS, with the authority of its own. */
export class EndpointCloud extends EndpointBucket {
  readonly cloud: TestCloud;
  readonly port: number;
  readonly region = 'nova';

  private constructor(host: string, port: number) {
    super(host);
    this.port = port;
    this.cloud = new TestCloud({
      NOVACTL_DRIVERS: 'simulated',
      NOVACTL_METADATA_LISTEN: 'none',
      NOVACTL_OBJECTSTORE_LISTEN: `${host}:${port}`,
      NOVACTL_OBJECTSTORE_DOMAINS: this.domain,
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
    await made.makeBucket();
    return made;
  }

  get caFile(): string {
    return join(this.cloud.dir, 'state', 'tls', 'ca.pem');
  }

  kill9(): Promise<void> {
    return this.cloud.kill9();
  }

  startAgain(): Promise<void> {
    return this.cloud.start();
  }

  destroy(): Promise<void> {
    return this.cloud.destroy();
  }
}
