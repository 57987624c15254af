import { isCode } from '../../base/errors.ts';
import { hostnameOf } from '../../domain/addressing.ts';
import type { InstanceRecord } from '../../domain/instance.ts';
import { KEYS, PREFIX } from '../../domain/keys.ts';
import { projectWithoutRegion, regionOfProject } from '../../domain/project-region.ts';
import type { ImageRecord, UserDataRecord } from '../../domain/records.ts';
import type { ControllerContext } from '../controller-context.ts';
import { publicAddressOf } from '../networks/public-address-of.ts';
import { type Accounts, accountsOf } from '../users/directory-memo.ts';
import type { MetadataView } from './metadata/metadata-view.ts';

type Context = Pick<ControllerContext, 'clock' | 'directory' | 'store' | 'policy'>;

/** Whose metadata a guest's own address asks for: an index over the replica, kept by its change feed. */
export class MetadataDirectory {
  readonly #context: Context;
  readonly #byAddress = new Map<string, string>();
  readonly #addressOf = new Map<string, string>();
  readonly #watch: { close(): void };
  #accounts: Accounts | undefined;

  constructor(context: Context) {
    this.#context = context;
    const { store } = context;
    for (const { value } of store.range<InstanceRecord>(PREFIX.instance)) this.#index(value.id, value);
    this.#watch = store.watch(PREFIX.instance, store.rev + 1, (change) => {
      for (const op of change.ops) {
        this.#index(op.key.slice(PREFIX.instance.length), op.value as unknown as InstanceRecord | undefined);
      }
    });
  }

  close(): void {
    this.#watch.close();
  }

  /** With a host only an instance that is recorded there. */
  async lookup(address: string, hostId?: string): Promise<MetadataView | undefined> {
    const id = this.#byAddress.get(address);
    const record = id === undefined ? undefined : this.#context.store.get<InstanceRecord>(KEYS.instance(id))?.value;
    if (record === undefined || (hostId !== undefined && record.hostId !== hostId)) return undefined;
    return this.#view(record, await this.#accountsNow());
  }

  /** A directory that can't be asked keeps no guest from starting: accounts of projects that were there before it are told on. */
  async #accountsNow(): Promise<Accounts | undefined> {
    try {
      this.#accounts = await accountsOf(this.#context);
    } catch (error) {
      if (!isCode(error, 'Unavailable')) throw error;
    }
    return this.#accounts;
  }

  #index(id: string, record: InstanceRecord | undefined): void {
    const before = this.#addressOf.get(id);
    const now = record === undefined || record.state === 'terminated' ? undefined : record.nic.address;
    if (before === now) return;
    if (before !== undefined && this.#byAddress.get(before) === id) this.#byAddress.delete(before);
    if (now === undefined) {
      this.#addressOf.delete(id);
      return;
    }
    this.#addressOf.set(id, now);
    this.#byAddress.set(now, id);
  }

  #view(record: InstanceRecord, accounts: Accounts | undefined): MetadataView {
    const { store, policy } = this.#context;
    const userData =
      record.hasUserData === true ? store.get<UserDataRecord>(KEYS.userData(record.id))?.value.data : undefined;
    const { keyName: name, publicKey: openssh } = record;
    const publicIpv4 = publicAddressOf(store, record.id)?.publicIp;
    return {
      instanceId: record.id,
      reservationId: record.reservationId,
      launchIndex: record.launchIndex,
      imageId: record.imageId,
      ...(record.kernelId === undefined ? {} : { kernelId: record.kernelId }),
      ...(record.ramdiskId === undefined ? {} : { ramdiskId: record.ramdiskId }),
      instanceType: record.typeName,
      hostname: `${hostnameOf(record.nic.address)}.${policy.domain}`,
      localIpv4: record.nic.address,
      ...(publicIpv4 === undefined ? {} : { publicIpv4 }),
      mac: record.nic.mac,
      zone: record.zone,
      region: regionOfProject(record.projectId, policy.region),
      accountId: accounts?.accountOf(projectWithoutRegion(record.projectId)) ?? '',
      publicKeys: name === undefined || openssh === undefined ? [] : [{ name, openssh }],
      securityGroups: [],
      ...(userData === undefined ? {} : { userData: Buffer.from(userData, 'base64') }),
      launchTimeMs: record.createdAtMs,
      architecture: store.get<ImageRecord>(KEYS.image(record.imageId))?.value.architecture ?? 'x86_64',
    };
  }
}
