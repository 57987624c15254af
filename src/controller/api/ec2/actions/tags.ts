import type { Ec2Action, Ec2Actions } from '../ec2-action.ts';
import { given } from '../group-trees.ts';
import { refusePage } from '../id-params.ts';
import { askedPage } from './security-groups.ts';

const createTags: Ec2Action = async (call) => {
  const { params } = call;
  const tags = params.structs('Tag').map((tag) => [tag.need('Key'), tag.text('Value') ?? ''] as const);
  await call.run('CreateTags', { ResourceIds: params.list('ResourceId') ?? [], Tags: Object.fromEntries(tags) });
  return { return: true };
};

/** A tag without a value goes whatever its value is; one with an empty value only when its value is empty. */
const deleteTags: Ec2Action = async (call) => {
  const { params } = call;
  const tags = params.structs('Tag').map((tag) => ({ Key: tag.need('Key'), ...given({ Value: tag.text('Value') }) }));
  const ResourceIds = params.list('ResourceId') ?? [];
  await call.run('DeleteTags', { ResourceIds, ...(params.has('Tag') ? { Tags: tags } : {}) });
  return { return: true };
};

const describeTags: Ec2Action = async (call) => {
  const page = askedPage(call);
  refusePage(page, 5, 1000);
  const { tags, nextToken } = await call.run('DescribeTags', page);
  return {
    tagSet: tags.map(({ resourceId, resourceType, key, value }) => ({ resourceId, resourceType, key, value })),
    nextToken,
  };
};

export const tagsActions: Ec2Actions = { CreateTags: createTags, DeleteTags: deleteTags, DescribeTags: describeTags };
