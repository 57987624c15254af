import type { Replica } from '../../../src/ports/store.ts';
import type { CliResult, InstanceRow } from '../../support/test-cloud.ts';
import type { HostLab } from './namespace-host.ts';

export interface PlacedInstance extends InstanceRow {
  readonly hostName: string;
}

/** A cloud whose hosts are those of a lab, as far as commands and checks see it, whatever it is made of. */
export abstract class CloudCommands {
  abstract readonly lab: HostLab;
  /** A folder of the cloud for files of the test. */
  abstract readonly dir: string;
  /** What its processes logged. */
  abstract readonly log: string;

  /** One command to its end, never on a terminal. */
  abstract cli(...args: string[]): Promise<CliResult>;

  /** The records as they are kept, past every process of the cloud. */
  abstract withRecords<T>(look: (records: Pick<Replica, 'get' | 'range'>) => T): Promise<T>;

  /** A command that must succeed. */
  async ok(...args: string[]): Promise<string> {
    const { code, stdout, stderr } = await this.cli(...args);
    if (code !== 0) throw new Error(`novactl ${args.join(' ')} ended with ${code}:\n${stderr}\n${stdout}`);
    return stdout;
  }

  async json<T>(...args: string[]): Promise<T> {
    return JSON.parse(await this.ok(...args, '--json')) as T;
  }

  /** Every instance, terminated ones too. */
  async instances(): Promise<PlacedInstance[]> {
    return (await this.json<{ instances: PlacedInstance[] }>('instance', 'list', '--all')).instances;
  }

  /** Domains of all hosts: by name, the host and what its libvirt says of it. */
  async domains(): Promise<Map<string, { host: string; state: string }[]>> {
    const found = new Map<string, { host: string; state: string }[]>();
    for (const host of this.lab.hosts) {
      for (const [name, state] of await host.domains()) {
        found.set(name, [...(found.get(name) ?? []), { host: host.name, state }]);
      }
    }
    return found;
  }
}
