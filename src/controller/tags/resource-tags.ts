import { CloudError } from '../../base/errors.ts';
import { KEYS } from '../../domain/keys.ts';
import type { TagsRecord } from '../../domain/records.ts';
import type { Draft } from '../state/draft.ts';

export type Tags = Readonly<Record<string, string>>;

const MAX_TAGS = 50;
const MAX_KEY = 127;
const MAX_VALUE = 255;

/** The tags of a resource, by its id; none: empty. */
export function tagsOf(replica: { get<T>(key: string): { readonly value: T } | undefined }, resourceId: string): Tags {
  return replica.get<TagsRecord>(KEYS.tags(resourceId))?.value.tags ?? {};
}

/** Sets tags beside those that are there. Errors: 'InvalidParameterValue', 'TagLimitExceeded'. */
export function putTags(
  draft: Draft,
  owner: { projectId: string; resourceId: string; kind: string },
  tags: Tags,
): void {
  if (Object.keys(tags).length === 0) return;
  checkedTags(tags);
  const at = KEYS.tags(owner.resourceId);
  const all = { ...draft.get<TagsRecord>(at)?.tags, ...tags };
  if (Object.keys(all).length > MAX_TAGS) {
    throw new CloudError('TagLimitExceeded', `${owner.resourceId} would have more than ${MAX_TAGS} tags`);
  }
  draft.put(at, { v: 1, ...owner, tags: all } satisfies TagsRecord);
}

/** For something that is made in this transaction, so that nobody can have set tags of it before; none: nothing is written. */
export function newTags(
  draft: Draft,
  owner: { projectId: string; resourceId: string; kind: string },
  tags: Tags | undefined,
): void {
  if (tags === undefined || Object.keys(tags).length === 0) return;
  draft.put(KEYS.tags(owner.resourceId), { v: 1, ...owner, tags: checkedTags(tags) } satisfies TagsRecord);
}

/** Tags as they may be. Errors: 'InvalidParameterValue', 'TagLimitExceeded'. */
export function checkedTags(tags: Tags): Tags {
  for (const [key, value] of Object.entries(tags)) checkTag(key, value);
  if (Object.keys(tags).length > MAX_TAGS)
    throw new CloudError(
      'TagLimitExceeded',
      `a resource may have ${MAX_TAGS} tags; ${Object.keys(tags).length} are too many`,
    );
  return tags;
}

/** With the resource. */
export function dropTags(draft: Draft, resourceId: string): void {
  const at = KEYS.tags(resourceId);
  if (draft.get(at) !== undefined) draft.del(at);
}

function checkTag(key: string, value: string): void {
  const problem =
    key.length === 0 || key.length > MAX_KEY
      ? `key must be 1 to ${MAX_KEY} characters`
      : value.length > MAX_VALUE
        ? `value must be at most ${MAX_VALUE} characters`
        : /^aws:/i.test(key)
          ? 'key must not begin with "aws:"'
          : undefined;
  if (problem !== undefined) {
    throw new CloudError('InvalidParameterValue', `Tag ${JSON.stringify(key.slice(0, 64))}: ${problem}`, {
      details: { parameter: 'Tag' },
    });
  }
}
