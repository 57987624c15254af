import { uuidFrom } from '../../src/base/ids.ts';
import { commandId } from '../../src/domain/instance.ts';
import type { InstanceCommand } from '../../src/messages/worker.ts';

export const SAMPLE_SHA = 'a'.repeat(64);
const image = { imageId: 'ami-1', blobKey: 'upload/1', sha256: SAMPLE_SHA, sizeBytes: 512, format: 'raw' as const };

export interface CommandWish {
  readonly id?: string;
  readonly generation?: number;
  readonly attempt?: number;
  readonly sinceMs?: number;
  readonly epoch?: number;
  readonly force?: boolean;
  readonly hasRun?: boolean;
}

/** A command to host h-1 as the controller sends it; the instance's id must end with a hex digit of its own. */
export function sampleCommand(
  verb: InstanceCommand['verb'],
  { id = 'i-1', generation = 1, attempt = 1, sinceMs = 0, epoch = 1, ...rest }: CommandWish = {},
): InstanceCommand {
  const last = id.at(-1) ?? '0';
  const spec = {
    instanceId: id,
    cloudId: 'cloud-1',
    domainUuid: uuidFrom('cloud-1', id),
    vcpus: 1,
    memoryMib: 128,
    image,
    kernelArgs: '',
    diskBytes: 512,
    network: {
      ...{
        networkId: 'net-1',
        bridge: 'nvb-1',
        bridgeMac: '02:16:3e:00:00:00',
        cidr: '10.200.0.0/22',
        gateway: '10.200.0.1',
      },
      ...{ dns: [], domain: 'novalocal', mtu: 1500, metadataPort: 8775 },
    },
    port: { tap: `nvt${last}`, mac: `02:16:3e:00:00:0${last}`, address: `10.200.0.1${last}`, hostname: `ip-${last}` },
  };
  const base = {
    v: 1 as const,
    commandId: commandId({ instanceId: id, generation, verb, attempt, sinceMs }),
    hostId: 'h-1',
    epoch,
    generation,
    spec,
  };
  if (verb === 'run') return { ...base, verb, hasRun: rest.hasRun === true };
  if (verb === 'remove') return { ...base, verb };
  return { ...base, verb, force: rest.force === true, timeoutMs: 30_000 };
}
