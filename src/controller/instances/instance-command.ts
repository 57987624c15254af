import { CloudError } from '../../base/errors.ts';
import { uuidFrom } from '../../base/ids.ts';
import { hostnameOf } from '../../domain/addressing.ts';
import type { InstanceRecord, InstanceWork } from '../../domain/instance.ts';
import { KEYS } from '../../domain/keys.ts';
import type { ImageRecord, UserDataRecord } from '../../domain/records.ts';
import type { ImageRef, InstanceCommand, InstanceSeed, InstanceSpec } from '../../messages/worker.ts';
import type { ControllerContext } from '../controller-context.ts';
import { networkOf } from '../networks/vpcs.ts';

type Context = Pick<ControllerContext, 'store' | 'policy' | 'cloudId'>;

/** The command that does the record's work, with its whole specification: a worker never reads the store. */
export function instanceCommand(
  context: Context,
  record: InstanceRecord,
  work: InstanceWork,
  epoch: number,
): InstanceCommand {
  const base = {
    v: 1 as const,
    commandId: work.commandId,
    ...(record.operationId === undefined ? {} : { operationId: record.operationId }),
    hostId: record.hostId,
    epoch,
    generation: record.generation,
    spec: instanceSpec(context, record),
  };
  const { verb } = work;
  if (verb === 'run')
    return { ...base, verb, hasRun: record.launchedAtMs !== undefined, seed: instanceSeed(context, record) };
  if (verb === 'remove') return { ...base, verb };
  return { ...base, verb, force: work.force === true, timeoutMs: context.policy.stopTimeoutMs };
}

/** The same for the same cloud and instance for ever: what makes "define" idempotent and a foreign domain recognisable. */
export function domainUuid(cloudId: string, instanceId: string): string {
  return uuidFrom(cloudId, instanceId);
}

function instanceSeed({ store }: Context, record: InstanceRecord): InstanceSeed {
  const { typeName, publicKey, hasUserData, id } = record;
  const userData = hasUserData === true ? store.get<UserDataRecord>(KEYS.userData(id))?.value.data : undefined;
  return {
    instanceType: typeName,
    publicKeys: publicKey === undefined ? [] : [publicKey],
    ...(userData === undefined ? {} : { userData }),
  };
}

function instanceSpec(context: Context, record: InstanceRecord): InstanceSpec {
  const { store, policy, cloudId } = context;
  const network = networkOf((key) => store.get<never>(key)?.value, record.projectId, record.nic.networkId);
  const image = store.get<ImageRecord>(KEYS.image(record.imageId))?.value;
  if (network === undefined || image === undefined) {
    throw new CloudError(
      'InternalError',
      `the ${network === undefined ? 'network' : 'image'} of instance ${record.id} has no record`,
    );
  }
  const part = (id: string | undefined): ImageRef | undefined => {
    const found = id === undefined ? undefined : store.get<ImageRecord>(KEYS.image(id))?.value;
    return found === undefined ? undefined : imageRef(found);
  };
  const kernel = part(record.kernelId);
  const ramdisk = part(record.ramdiskId);
  return {
    instanceId: record.id,
    cloudId,
    domainUuid: domainUuid(cloudId, record.id),
    vcpus: record.vcpus,
    memoryMib: record.memoryMib,
    image: imageRef(image),
    ...(kernel === undefined ? {} : { kernel }),
    ...(ramdisk === undefined ? {} : { ramdisk }),
    kernelArgs: image.kernelArgs ?? 'console=ttyS0 root=/dev/vda1',
    diskBytes: record.rootDiskBytes,
    network: {
      networkId: network.id,
      bridge: network.bridge,
      bridgeMac: network.bridgeMac,
      cidr: network.cidr,
      gateway: network.gateway,
      dns: [...policy.dns],
      domain: policy.domain,
      mtu: policy.mtu,
      metadataPort: policy.metadataPort,
    },
    port: {
      tap: record.nic.tap,
      mac: record.nic.mac,
      address: record.nic.address,
      hostname: hostnameOf(record.nic.address),
    },
  };
}

function imageRef(image: ImageRecord): ImageRef {
  return {
    imageId: image.id,
    blobKey: image.blobKey,
    sha256: image.sha256,
    sizeBytes: image.sizeBytes,
    format: image.format,
  };
}
