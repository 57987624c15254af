import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { SystemClock } from '../../../src/base/clock.ts';
import { SocketClient } from '../../../src/client/socket-client.ts';
import { type DayClient, DAYS, type Ended, plainClientEnv, runClient } from '../../support/ec2-clients.ts';
import { freePorts } from '../../support/free-ports.ts';
import { writeSpeakingImage } from '../../support/still-image.ts';
import { NOVACTL } from '../../support/test-cloud.ts';
import { LabCloud } from '../support/lab-cloud.ts';

const SPEAKS = 'NOVACTL-STILL this guest has booted';
/** Two CPUs run all guests and all clients. */
const PATIENCE_S = '150';
const STOP_MS = '4000';
/** Far more than it takes, which is a minute or two: a machine that does other things too is not a fault. */
export const DAY_MS = 400_000;

interface Made {
  readonly images: readonly { readonly imageId: string; readonly name: string }[];
}

/** A client's own folder, and how it is entered: its novarc, and then its program. */
const ENTER = 'cd "$1" && . ./novarc && shift && exec "$@"';

/** A cloud on two real hosts over SSH that EC2 clients reach by TLS, each as a user with a project of their own. */
export class Ec2Lab {
  readonly system: LabCloud;
  readonly #port: number;
  #still = '';
  #tiny = '';

  private constructor(system: LabCloud, port: number) {
    this.system = system;
    this.#port = port;
  }

  static async start(clients: readonly Pick<DayClient, 'id'>[]): Promise<Ec2Lab> {
    const [port = 0] = await freePorts(1);
    const env = {
      NOVACTL_EC2_LISTEN: '127.0.0.1',
      NOVACTL_EC2_PORT: String(port),
      NOVACTL_EC2_SIGNATURE_V2: 'on',
      NOVACTL_INSTANCES_STOP_TIMEOUT_MS: STOP_MS,
    };
    const lab = new Ec2Lab(await LabCloud.start('daemon', { hosts: 2, env }), port);
    try {
      await lab.#makeImages();
      await Promise.all(clients.map((client) => lab.#enrol(client)));
    } catch (error) {
      await lab.system.destroy();
      throw error;
    }
    return lab;
  }

  /** The program of the client, in the environment of its user's novarc, to its end. */
  run({ id, command, script, env }: Pick<DayClient, 'id' | 'command' | 'script' | 'env'>): Promise<Ended> {
    const folder = this.#folder(id);
    const home = join(folder, 'home');
    mkdirSync(home, { mode: 0o700 });
    const { NOVACTL_STATE_DIR, NOVACTL_RUN_DIR } = this.system.cloud.env;
    const clientEnv = {
      ...plainClientEnv(home),
      ...env,
      // The SDK for JavaScript reads no AWS_CA_BUNDLE.
      NODE_EXTRA_CA_CERTS: join(folder, 'cacert.pem'),
      ...{ NOVACTL_STATE_DIR, NOVACTL_RUN_DIR, NOVACTL_TEST_NOVACTL: NOVACTL },
      ...{ NOVACTL_TEST_REAL: 'yes', NOVACTL_TEST_ZONE: 'nova', NOVACTL_TEST_PATIENCE_S: PATIENCE_S },
      ...{ NOVACTL_TEST_IMAGE: this.#still, NOVACTL_TEST_CONSOLE: SPEAKS, NOVACTL_TEST_BOOT_IMAGE: this.#tiny },
    };
    return runClient('sh', ['-c', ENTER, 'sh', folder, command, join(DAYS, script)], clientEnv, DAY_MS);
  }

  #folder(id: string): string {
    return join(this.system.dir, `of-${id}`);
  }

  /** One that says a line and halts, and the tiny one, for every project. */
  async #makeImages(): Promise<void> {
    const path = join(this.system.dir, 'still.raw');
    writeSpeakingImage(path, SPEAKS);
    await this.system.ok('image', 'import', path, '--name', 'still');
    await this.system.ok('image', 'build-tiny');
    const { images } = await this.system.json<Made>('image', 'list');
    const idOf = (name: string): string => images.find((image) => image.name === name)?.imageId ?? '';
    this.#still = idOf('still');
    this.#tiny = idOf('tiny');
    const socketPath = join(this.system.cloud.env.NOVACTL_RUN_DIR ?? '', 'novactl.sock');
    const root = new SocketClient({ socketPath, clock: new SystemClock() });
    for (const { imageId } of images) await root.call('ModifyImageAttribute', { ImageId: imageId, Public: true });
  }

  async #enrol({ id }: Pick<DayClient, 'id'>): Promise<void> {
    const { system } = this;
    await system.ok('user', 'create', id);
    await system.ok('project', 'create', id, '--manager', id);
    const where = ['--ec2-url', `https://localhost:${this.#port}`, '--out', this.#folder(id)];
    await system.ok('project', 'credentials', '--project', id, '--user', id, ...where);
  }
}
