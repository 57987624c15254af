import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { plainClientEnv, runClient } from '../../support/ec2-clients.ts';
import { until } from '../../support/until.ts';
import type { LabCloud } from '../support/lab-cloud.ts';

const AWS = '/usr/bin/aws';
const BUNDLER = join(import.meta.dirname, '..', '..', 'support', 'write_bundle.py');
/** A client's own folder: its novarc, and then the AWS CLI at the endpoint that the variable names. */
const ENTER =
  'cd "$1" && . ./novarc && eval "at=\\$AWS_ENDPOINT_URL_$2" && shift 2 && exec "$0" --endpoint-url "$at" "$@"';
const CALL_MS = 120_000;
/** Software emulation under load. */
export const BOOT_MS = 90_000;

export interface Ec2Image {
  readonly ImageId: string;
  readonly State: string;
  readonly StateReason?: { readonly Message: string };
}

interface Ec2Instances {
  readonly Instances: readonly { readonly InstanceId: string; readonly State: { readonly Name: string } }[];
}

/** What write_bundle.py is to do otherwise. */
export interface BundleAsked {
  /** What its kernel and its ramdisk are, as the manifest names them: an id, or true for a bundle that is one itself. */
  readonly kernel?: string;
  readonly ramdisk?: string;
  /** Replaced after signing. */
  readonly after?: readonly (readonly [string, string])[];
}

/** That the script names in each manifest. */
const ITS_KERNEL = '<kernel_id>aki-0123456789abcdef0</kernel_id>';

const element = (name: string, text: string | undefined): string =>
  text === undefined ? '' : `<${name}>${text}</${name}>`;

/** A user of the cloud who has nothing but credentials, the AWS CLI and what makes bundles. */
export class ImageClient {
  readonly folder: string;
  readonly #home: string;
  readonly #env: NodeJS.ProcessEnv;

  private constructor(folder: string, home: string) {
    this.folder = folder;
    this.#home = home;
    this.#env = plainClientEnv(home);
  }

  /** A new user with a project of the same name. */
  static async enrol(system: LabCloud, name: string, urls: { ec2: string; s3: string }): Promise<ImageClient> {
    const folder = join(system.dir, `of-${name}`);
    await system.ok('user', 'create', name);
    await system.ok('project', 'create', name, '--manager', name);
    const where = ['--ec2-url', urls.ec2, '--s3-url', urls.s3, '--key-type', 'rsa', '--out', folder];
    await system.ok('project', 'credentials', '--project', name, '--user', name, ...where);
    const home = join(folder, 'home');
    mkdirSync(home, { mode: 0o700 });
    return new ImageClient(folder, home);
  }

  path(name: string): string {
    return join(this.#home, name);
  }

  /** One call of the AWS CLI, however it ends. */
  aws(service: 'ec2' | 's3', ...words: string[]): Promise<{ code: number; output: string }> {
    const args = ['-c', ENTER, AWS, this.folder, service.toUpperCase(), service, ...words];
    return runClient('sh', args, this.#env, CALL_MS);
  }

  async s3(...words: string[]): Promise<string> {
    const { code, output } = await this.aws('s3', ...words);
    if (code !== 0) throw new Error(`aws s3 ${words.join(' ')} ended with ${code}: ${output}`);
    return output;
  }

  async ec2<T>(...words: string[]): Promise<T> {
    const { code, output } = await this.aws('ec2', ...words, '--output', 'json');
    if (code !== 0) throw new Error(`aws ec2 ${words.join(' ')} ended with ${code}: ${output}`);
    return (output.trim() === '' ? {} : JSON.parse(output)) as T;
  }

  async register(name: string, location: string): Promise<string> {
    const words = ['--image-location', location, '--architecture', 'x86_64', '--virtualization-type', 'hvm'];
    return (await this.ec2<{ ImageId: string }>('register-image', '--name', name, ...words)).ImageId;
  }

  /** The image when it is no longer pending. The CLI's own waiter looks each 15 s only. */
  ended(imageId: string): Promise<Ec2Image> {
    const look = async (): Promise<Ec2Image | undefined> => {
      const { Images } = await this.ec2<{ Images: Ec2Image[] }>('describe-images', '--image-ids', imageId);
      return Images.find(({ State }) => State !== 'pending');
    };
    return until(look, { what: `${imageId} is not pending`, timeoutMs: BOOT_MS, everyMs: 200 });
  }

  /** The image, which must become available, also as the CLI's waiter sees it. */
  async available(imageId: string): Promise<string> {
    const { State, StateReason } = await this.ended(imageId);
    if (State !== 'available') throw new Error(`${imageId} is ${State}: ${StateReason?.Message ?? 'no reason'}`);
    await this.ec2('wait', 'image-available', '--image-ids', imageId);
    return imageId;
  }

  async run(imageId: string, count: number, userData = ''): Promise<string[]> {
    const script = this.path('user-data');
    writeFileSync(script, userData);
    const words = ['--instance-type', 'm1.nano', '--count', String(count), '--user-data', `file://${script}`];
    const made = await this.ec2<Ec2Instances>('run-instances', '--image-id', imageId, ...words);
    return made.Instances.map(({ InstanceId }) => InstanceId);
  }

  /** How many of the instances are in each state. */
  async states(ids: readonly string[]): Promise<Record<string, number>> {
    const asked = ['describe-instances', '--instance-ids', ...ids];
    const { Reservations } = await this.ec2<{ Reservations: Ec2Instances[] }>(...asked);
    const counts: Record<string, number> = {};
    for (const { State } of Reservations.flatMap(({ Instances }) => Instances))
      counts[State.Name] = (counts[State.Name] ?? 0) + 1;
    return counts;
  }

  /** Waits until all are in that state. */
  async all(ids: readonly string[], state: string): Promise<void> {
    let last: Record<string, number> = {};
    const look = async (): Promise<boolean> => (last = await this.states(ids))[state] === ids.length;
    await until(look, { what: `all are ${state}`, timeoutMs: BOOT_MS, everyMs: 200 }).catch((error: unknown) => {
      throw new Error(`${String(error)}: ${JSON.stringify(last)}`);
    });
  }

  async terminate(ids: readonly string[]): Promise<void> {
    await this.ec2('terminate-instances', '--instance-ids', ...ids);
    await this.all(ids, 'terminated');
  }

  /** What the guest has said on its console, when that is in it. */
  async hears(id: string, wanted: string): Promise<string> {
    let said = '';
    const look = async (): Promise<string | undefined> => {
      const words = ['get-console-output', '--latest', '--instance-id', id];
      said = (await this.ec2<{ Output?: string }>(...words)).Output ?? '';
      return said.includes(wanted) ? said : undefined;
    };
    return until(look, { what: `${id} says ${wanted}`, timeoutMs: BOOT_MS, everyMs: 250 }).catch((error: unknown) => {
      throw new Error(`${String(error)}; its console:\n${said.slice(-2000)}`);
    });
  }

  /** Writes a bundle of the disk, as euca-bundle-image does with the files of the credentials; answers the names of its files, the manifest's last. */
  bundle(image: string, folder: string, { kernel, ramdisk, ...asked }: BundleAsked = {}): string[] {
    mkdirSync(folder);
    const file = (name: string): string => join(this.folder, name);
    const keys = { userKey: file('pk.pem'), userCert: file('cert.pem'), ec2Cert: file('cloud-cert.pem') };
    const named = `${element('kernel_id', kernel)}${element('ramdisk_id', ramdisk)}`;
    const bundled = { partBytes: 5 * 1024 * 1024, manifest: [[ITS_KERNEL, named]] };
    const text = JSON.stringify({ folder, image, name: 'disk', ...bundled, ...keys, ...asked });
    execFileSync('/usr/bin/python3', [BUNDLER], { input: `${text}\n` });
    return execFileSync('ls', [folder], { encoding: 'utf8' }).trim().split('\n').toSorted().reverse();
  }
}
