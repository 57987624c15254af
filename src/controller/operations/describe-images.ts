import { CloudError } from '../../base/errors.ts';
import type { ImageImportRecord } from '../../domain/image-import.ts';
import { KEYS, PREFIX } from '../../domain/keys.ts';
import type { ImageRecord } from '../../domain/records.ts';
import type { OperationParsed } from '../../messages/operations/index.ts';
import { findImage, mayLaunch } from '../images/find-image.ts';
import { imageView } from '../images/image-view.ts';
import { Draft } from '../state/draft.ts';
import { tagsOf } from '../tags/resource-tags.ts';
import { type FilterFields, matchesFilters, requireFilters } from './filters.ts';
import type { Principal, ReadHandler } from './handler.ts';
import { mayUse } from './handler.ts';
import { pageOf } from './pages.ts';

const PAGE_DEFAULT = 1000;
const nothing = (): undefined => undefined;

/** Names as EC2's, beside `kind`, which EC2 calls image-type. */
const FIELDS: FilterFields<ImageRecord> = {
  architecture: (image) => image.architecture,
  'block-device-mapping.delete-on-termination': nothing,
  'block-device-mapping.device-name': nothing,
  'block-device-mapping.snapshot-id': nothing,
  'block-device-mapping.volume-size': nothing,
  'block-device-mapping.volume-type': nothing,
  'block-device-mapping.encrypted': nothing,
  'creation-date': (image) => new Date(image.createdAtMs).toISOString(),
  description: (image) => image.description ?? '',
  'ena-support': () => 'false',
  'image-id': (image) => image.id,
  'image-type': (image) => image.kind,
  'is-public': (image) => String(image.public),
  'kernel-id': (image) => image.kernelId,
  'manifest-location': (image) => image.location ?? image.name,
  name: (image) => image.name,
  'owner-alias': nothing,
  'owner-id': (image) => image.projectId,
  platform: (image) => image.platform,
  'product-code': nothing,
  'product-code.type': nothing,
  'ramdisk-id': (image) => image.ramdiskId,
  'root-device-name': (image) => image.rootDeviceName ?? '/dev/vda',
  'root-device-type': () => 'instance-store',
  'source-instance-id': (image) => image.sourceId,
  state: (image) => image.state ?? 'available',
  'state-reason-code': (image) => image.stateReason?.code,
  'state-reason-message': (image) => image.stateReason?.message,
  'sriov-net-support': nothing,
  'virtualization-type': (image) => image.virtualizationType ?? 'hvm',
};

export const describeImages: ReadHandler<'DescribeImages'> = ({ cloud, principal, nowMs }, input) => {
  const { store } = cloud;
  const wanted = wantedBy(principal, input, (id) => tagsOf(store, id));
  const view = (image: ImageRecord) =>
    imageView(
      image,
      tagsOf(store, image.id),
      principal,
      image.state === 'pending' && mayUse(principal, image.projectId)
        ? store.get<ImageImportRecord>(KEYS.imageImport(image.id))?.value
        : undefined,
    );
  if (input.ImageIds !== undefined) {
    if (input.MaxResults !== undefined || input.NextToken !== undefined) {
      throw new CloudError('InvalidParameterCombination', 'MaxResults: pages and ImageIds do not go together');
    }
    const draft = new Draft(store);
    const found = [...new Set(input.ImageIds)].map((id) => findImage(draft, principal, id, 'ImageIds'));
    return { images: found.filter(wanted).map(view), rev: store.rev };
  }
  // Whoever names it, or has it, sees a deprecated one all the same.
  const isListed = (image: ImageRecord): boolean =>
    input.IncludeDeprecated === true ||
    mayUse(principal, image.projectId) ||
    image.deprecatedAtMs === undefined ||
    image.deprecatedAtMs > nowMs;
  const ask = { limit: input.MaxResults ?? PAGE_DEFAULT, token: input.NextToken };
  const { rows, nextToken } = pageOf<ImageRecord, ReturnType<typeof view>>(store, PREFIX.image, ask, ({ value }) =>
    mayLaunch(principal, value) && isListed(value) && wanted(value) ? view(value) : undefined,
  );
  return { images: rows, rev: store.rev, ...(nextToken === undefined ? {} : { nextToken }) };
};

function wantedBy(
  principal: Principal,
  { Filters = [], Owners, ExecutableBy }: OperationParsed<'DescribeImages'>,
  tags: (id: string) => Readonly<Record<string, string>>,
): (image: ImageRecord) => boolean {
  requireFilters(Filters, FIELDS, true);
  const projects = ExecutableBy?.map((who) => (who === 'self' ? principal.projectId : who));
  // Tags and permissions of others are theirs to know: nor are they to be found out by asking for them.
  const isOwn = ({ projectId }: ImageRecord): boolean => mayUse(principal, projectId);
  const isPermitted = (image: ImageRecord): boolean =>
    projects === undefined ||
    projects.some((who) => {
      if (who === 'all') return image.public;
      return (who === principal.projectId || isOwn(image)) && image.launchProjects?.includes(who) === true;
    });
  return (image) =>
    (Owners === undefined || Owners.includes(image.projectId)) &&
    isPermitted(image) &&
    matchesFilters(image, Filters, FIELDS, () => (isOwn(image) ? tags(image.id) : {}));
}
