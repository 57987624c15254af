import type { EtcdCluster } from '../../support/etcd-cluster.ts';
import type { PrivateRabbit } from '../../support/private-rabbit.ts';
import { CuttingProxy } from '../../support/cutting-proxy.ts';

/** The lines of one process to etcd and to RabbitMQ: each is a proxy that can be cut. */
export class ClusterLines {
  readonly etcd: readonly CuttingProxy[];
  readonly bus: CuttingProxy;
  readonly env: NodeJS.ProcessEnv;

  private constructor(etcd: readonly CuttingProxy[], bus: CuttingProxy, env: NodeJS.ProcessEnv) {
    this.etcd = etcd;
    this.bus = bus;
    this.env = env;
  }

  static async open(etcd: EtcdCluster, rabbit: PrivateRabbit): Promise<ClusterLines> {
    const members = Array.from({ length: etcd.size }, (_, index) => index);
    const lines = await Promise.all(members.map((index) => CuttingProxy.start(etcd.clientPort(index))));
    const bus = await CuttingProxy.start(rabbit.tlsPort);
    return new ClusterLines(lines, bus, {
      NOVACTL_STORE_ETCD_ENDPOINTS: lines.map(({ port }, index) => etcd.endpoint(index, port)).join(','),
      NOVACTL_BUS_RABBITMQ_ENDPOINTS: `amqps://localhost:${bus.port}`,
    });
  }

  /** Everything passes. */
  heal(): void {
    for (const line of [...this.etcd, this.bus]) line.pass();
  }

  async close(): Promise<void> {
    await Promise.all([...this.etcd, this.bus].map((line) => line.close()));
  }
}
