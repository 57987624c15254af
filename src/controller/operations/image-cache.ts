import { asCloudError, CloudError, errorText } from '../../base/errors.ts';
import type { Json } from '../../base/json.ts';
import type { InstanceRecord } from '../../domain/instance.ts';
import { KEYS, PREFIX } from '../../domain/keys.ts';
import type { AssignRecord, HostRecord, ImageRecord } from '../../domain/records.ts';
import { EvictedImageCache, ListedImageCache } from '../../messages/image-cache.ts';
import type { OperationOutput } from '../../messages/operations/index.ts';
import type { ControllerContext } from '../controller-context.ts';
import { askWorker } from '../hosts/ask-worker.ts';
import { findHost } from '../hosts/find-host.ts';
import { findImage, needAvailable } from '../images/find-image.ts';
import { Draft } from '../state/draft.ts';
import type { ChangeHandler, ReadHandler } from './handler.ts';

/** A host looks at every disk that it has. */
const ASK_TIMEOUT_MS = 60_000;

type Problem = OperationOutput<'DescribeImageCache'>['problems'][number];

interface Asked<T> {
  readonly host: HostRecord;
  readonly answer: T;
}

interface AllAsked<T> {
  readonly asked: readonly Asked<T>[];
  readonly problems: readonly Problem[];
}

const named = ({ id, name }: HostRecord): { hostId: string; hostName: string } => ({ hostId: id, hostName: name });

function hostsOf({ store }: Pick<ControllerContext, 'store'>, names: readonly string[] | undefined): HostRecord[] {
  if (names !== undefined) {
    const hosts = names.map((name) => findHost(store, name, 'Hosts'));
    return [...new Map(hosts.map((host) => [host.id, host])).values()];
  }
  return store.range<HostRecord>(PREFIX.host).map(({ value }) => value);
}

/** Side by side; a host that can't be asked is a problem of its own and no reason to leave the others alone. */
async function askHosts<T>(
  cloud: ControllerContext,
  hosts: readonly HostRecord[],
  ask: (host: HostRecord, call: (type: string, body: object) => Promise<Json | undefined>) => Promise<T>,
): Promise<AllAsked<T>> {
  const asked: Asked<T>[] = [];
  const problems: Problem[] = [];
  const one = async (host: HostRecord): Promise<void> => {
    const assign = cloud.store.get<AssignRecord>(KEYS.assign('compute', host.id))?.value;
    if (assign === undefined) throw new CloudError('Unavailable', `no worker serves ${host.name} yet`);
    const { workerId, epoch } = assign;
    const call = (type: string, body: object) =>
      askWorker(cloud, workerId, type, { hostId: host.id, epoch, ...body }, ASK_TIMEOUT_MS);
    asked.push({ host, answer: await ask(host, call) });
  };
  const tell = (host: HostRecord) => (error: unknown) =>
    void problems.push({ ...named(host), code: asCloudError(error).code, message: errorText(error) });
  await Promise.all(hosts.map((host) => one(host).catch(tell(host))));
  const byName = (a: { hostName: string }, b: { hostName: string }): number => (a.hostName < b.hostName ? -1 : 1);
  return { asked: asked.sort((a, b) => (a.host.name < b.host.name ? -1 : 1)), problems: problems.sort(byName) };
}

interface Use {
  readonly sha256: string;
  readonly by: string;
}

/** What the records say of one host: instances that are not gone, with their image, kernel and ramdisk. */
function usesOn({ store }: Pick<ControllerContext, 'store'>, hostId: string): Use[] {
  return store
    .range<InstanceRecord>(PREFIX.instance)
    .filter(({ value }) => value.hostId === hostId && value.state !== 'terminated')
    .flatMap(({ value: { id, imageId, kernelId, ramdiskId } }) =>
      [imageId, kernelId, ramdiskId].flatMap((part) => {
        const image = part === undefined ? undefined : store.get<ImageRecord>(KEYS.image(part))?.value;
        return image === undefined ? [] : [{ sha256: image.sha256, by: id }];
      }),
    );
}

export const describeImageCache: ReadHandler<'DescribeImageCache'> = async ({ cloud }, input) => {
  const { asked, problems } = await askHosts(cloud, hostsOf(cloud, input.Hosts), async (_host, call) =>
    ListedImageCache.parse(await call('image-cache-list', {})),
  );
  const records = cloud.store.range<ImageRecord>(PREFIX.image).map(({ value }) => value);
  const images = asked.flatMap(({ host, answer }) => {
    const uses = usesOn(cloud, host.id);
    return answer.images.map(({ sha256, sizeBytes, kind, lastUsedMs, usedBy }) => {
      const same = records.filter((record) => record.sha256 === sha256);
      const by = uses.filter((use) => use.sha256 === sha256).map((use) => use.by);
      return {
        ...named(host),
        ...{ sha256, kind, lastUsedMs, sizeBytes: sizeBytes || (same[0]?.sizeBytes ?? 0) },
        images: same.map(({ id, name, deregisteredAtMs }) => ({
          ...{ imageId: id, name },
          ...(deregisteredAtMs === undefined ? {} : { deregistered: true }),
        })),
        usedBy: [...new Set([...usedBy, ...by])].sort(),
      };
    });
  });
  return {
    images,
    transfers: asked.flatMap(({ host, answer }) => answer.transfers.map((one) => ({ ...named(host), ...one }))),
    failures: asked.flatMap(({ host, answer }) => answer.failures.map((one) => ({ ...named(host), ...one }))),
    problems: [...problems],
  };
};

interface Warmed extends AllAsked<undefined> {
  readonly digests: readonly string[];
}

export const warmImageCache: ChangeHandler<'WarmImageCache', Warmed> = {
  async prepare({ cloud, principal }, input) {
    const image = findImage(new Draft(cloud.store), principal, input.ImageId, 'ImageId');
    needAvailable(image, 'ImageId');
    const parts = [image.id, image.kernelId, image.ramdiskId].flatMap((id) => {
      const part = id === undefined ? undefined : cloud.store.get<ImageRecord>(KEYS.image(id))?.value;
      return part === undefined ? [] : [part];
    });
    const images = parts.map(({ id, blobKey, sha256, sizeBytes, format, kind }) => ({
      ...{ imageId: id, blobKey, sha256, sizeBytes, format, kind },
    }));
    const all = await askHosts(cloud, hostsOf(cloud, input.Hosts), async (_host, call) => {
      await call('image-cache-warm', { images });
      return undefined;
    });
    return { ...all, digests: parts.map(({ sha256 }) => sha256) };
  },

  decide(_draft, _input, { operationId }, { asked, problems, digests }) {
    const hosts = asked.map(({ host }) => named(host));
    return {
      output: { sha256: [...digests], hosts, problems: [...problems], operationId },
      targets: hosts.map(({ hostId }) => hostId),
    };
  },
};

export const evictImageCache: ChangeHandler<'EvictImageCache', AllAsked<EvictedImageCache>> = {
  prepare({ cloud, principal }, input) {
    const image =
      input.ImageId === undefined
        ? undefined
        : findImage(new Draft(cloud.store), principal, input.ImageId, 'ImageId').sha256;
    return askHosts(cloud, hostsOf(cloud, input.Hosts), async (host, call) => {
      const instanceIds = cloud.store
        .range<InstanceRecord>(PREFIX.instance)
        .filter(({ value }) => value.hostId === host.id)
        .map(({ value }) => value.id);
      const order = { inUse: usesOn(cloud, host.id), instanceIds, ...(image === undefined ? {} : { sha256: image }) };
      return EvictedImageCache.parse(await call('image-cache-evict', order));
    });
  },

  decide(_draft, _input, { operationId }, { asked, problems }) {
    const removed = asked.map(({ host, answer }) => ({
      ...named(host),
      ...{ sha256: answer.removed, removedBytes: answer.removedBytes },
    }));
    return {
      output: { removed, problems: [...problems], operationId },
      targets: asked.map(({ host }) => host.id),
    };
  },
};
