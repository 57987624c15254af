import type { InstanceRecord } from '../../domain/instance.ts';
import { PREFIX } from '../../domain/keys.ts';
import type { Replica } from '../../ports/store.ts';

interface Known {
  readonly hostId: string;
  readonly hasWork: boolean;
}

const NONE: ReadonlySet<string> = new Set();

/** Which instances a host has, so that nobody walks over all of them for one host's sake. */
export class InstanceIndex {
  readonly #known = new Map<string, Known>();
  readonly #byHost = new Map<string, Set<string>>();

  load(replica: Replica): void {
    for (const { value } of replica.range<InstanceRecord>(PREFIX.instance)) this.set(value.id, value);
  }

  set(instanceId: string, record: InstanceRecord | undefined): void {
    const before = this.#known.get(instanceId);
    if (before !== undefined && before.hostId !== record?.hostId) {
      const left = this.#byHost.get(before.hostId);
      left?.delete(instanceId);
      if (left?.size === 0) this.#byHost.delete(before.hostId);
    }
    if (record === undefined) {
      this.#known.delete(instanceId);
      return;
    }
    const { hostId } = record;
    this.#known.set(instanceId, { hostId, hasWork: record.work !== undefined });
    const instances = this.#byHost.get(hostId);
    if (instances === undefined) this.#byHost.set(hostId, new Set([instanceId]));
    else instances.add(instanceId);
  }

  on(hostId: string): ReadonlySet<string> {
    return this.#byHost.get(hostId) ?? NONE;
  }

  /** One of its instances has work that is not done. */
  isBusy(hostId: string): boolean {
    for (const instanceId of this.on(hostId)) if (this.#known.get(instanceId)?.hasWork === true) return true;
    return false;
  }
}
