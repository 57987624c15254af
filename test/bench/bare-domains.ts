import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { NamespaceHost } from '../system/support/namespace-host.ts';
import { run } from '../support/test-cloud.ts';

const URI = 'qemu:///system';
const FOLDER = 'var/lib/novactl-host/bare';
const INSTANCES = 'var/lib/novactl-host/instances';

/** An instance's domain under another name: own disk, seed, log, tap and MAC; the same base image and bridge. */
export function bareXml(xml: string, id: string, number: number): string {
  const name = bareName(number);
  const hex = number.toString(16).padStart(4, '0');
  return xml
    .replace(`<name>${id}</name>`, `<name>${name}</name>`)
    .replace(/<uuid>[^<]*<\/uuid>\s*/, '')
    .replace(/<metadata>.*?<\/metadata>\s*/s, '')
    .replaceAll(`/${INSTANCES}/${id}/`, `/${FOLDER}/${name}-`)
    .replace(/<target dev='nvt[^']*'\/>/, `<target dev='nvtbare${hex}'/>`)
    .replace(/<mac address='[^']*'\/>/, `<mac address='02:16:3e:ff:${hex.slice(0, 2)}:${hex.slice(2)}'/>`);
}

const bareName = (number: number): string => `bare-${number}`;

/** What an administrator's script would do on one host by qemu-img and virsh, over one SSH connection that is kept. */
export class BareDomains {
  readonly #host: NamespaceHost;
  readonly #numbers: readonly number[];
  readonly #ssh: readonly string[];
  readonly #create: string;

  private constructor(host: NamespaceHost, numbers: readonly number[], ssh: readonly string[], create: string) {
    this.#host = host;
    this.#numbers = numbers;
    this.#ssh = ssh;
    this.#create = create;
  }

  /** Everything but the work itself: the connection, the XML of every domain on the host. `dir`: for the connection's socket. */
  static async prepare(host: NamespaceHost, numbers: readonly number[], dir: string): Promise<BareDomains> {
    const [id = ''] = readdirSync(host.onDisk(INSTANCES));
    const disk = `/${INSTANCES}/${id}/disk.qcow2`;
    const info = JSON.parse(await host.ok('qemu-img', 'info', '-U', '--output=json', disk)) as Info;
    const xml = await host.ok('virsh', '-q', '-c', URI, 'dumpxml', '--inactive', id);
    rmSync(host.onDisk(FOLDER), { recursive: true, force: true });
    mkdirSync(host.onDisk(FOLDER), { mode: 0o711 });
    for (const number of numbers) {
      writeFileSync(host.onDisk(`${FOLDER}/${bareName(number)}.xml`), bareXml(xml, id, number));
    }
    const at = `/${FOLDER}/$n`;
    const base = `-b ${info['backing-filename']} -F ${info['backing-filename-format']}`;
    const create = [
      `qemu-img create -q -f qcow2 ${base} ${at}-disk.qcow2 ${info['virtual-size']}`,
      `chown --reference=${disk} ${at}-disk.qcow2`,
      `cp -a /${INSTANCES}/${id}/seed.iso ${at}-seed.iso`,
      `virsh -q -c ${URI} "define ${at}.xml; start $n"`,
    ].join(' && ');
    return new BareDomains(host, numbers, await sshTo(host, dir), create);
  }

  /** Makes and starts them, one after another; resolves when libvirt says that all run. */
  async start(): Promise<void> {
    for (const number of this.#numbers) await this.#ok(`n=${bareName(number)}; ${this.#create}`);
    const states = await this.#host.domains();
    const running = this.#numbers.filter((number) => states.get(bareName(number)) === 'running').length;
    if (running !== this.#numbers.length)
      throw new Error(`${running} of ${this.#numbers.length} bare domains of ${this.#host.name} run`);
  }

  async remove(): Promise<void> {
    const names = this.#numbers.map(bareName);
    await this.#host.exec(
      'virsh',
      '-q',
      '-c',
      URI,
      names.map((name) => `destroy ${name}; undefine ${name}`).join('; '),
    );
    rmSync(this.#host.onDisk(FOLDER), { recursive: true, force: true });
    await run('ssh', [...this.#ssh.slice(0, -1), '-O', 'exit', this.#ssh.at(-1) ?? '']);
  }

  async #ok(command: string): Promise<void> {
    const { code, stderr } = await run('ssh', [...this.#ssh, command]);
    if (code !== 0) throw new Error(`\`${command}\` on ${this.#host.name} ended with ${code}: ${stderr}`);
  }
}

interface Info {
  readonly 'backing-filename': string;
  readonly 'backing-filename-format': string;
  readonly 'virtual-size': number;
}

/** Words of ssh, the last of them the host; the connection is made here and stays. */
async function sshTo(host: NamespaceHost, dir: string): Promise<string[]> {
  const login = await host.login();
  const known = join(dir, `known-${host.name}`);
  writeFileSync(known, `${login.knownHosts}\n`);
  const options = {
    ControlMaster: 'auto',
    ControlPath: join(dir, `cm-${host.name}`),
    ControlPersist: '600',
    UserKnownHostsFile: known,
    StrictHostKeyChecking: 'yes',
    BatchMode: 'yes',
  };
  const words = Object.entries(options).map(([name, value]) => `-o${name}=${value}`);
  const argv = ['-F', '/dev/null', '-i', login.identity, '-p', String(login.port), ...words, `root@${login.host}`];
  const { code, stderr } = await run('ssh', [...argv.slice(0, -1), '-fN', argv.at(-1) ?? '']);
  if (code !== 0) throw new Error(`no connection to ${host.name}: ${stderr}`);
  return argv;
}
