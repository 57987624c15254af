import { S3_LIMITS, type Tags } from '../../../../domain/s3/records.ts';
import type { BucketCall, S3Action, S3Answer } from '../s3-action.ts';
import { emptyAnswer, versionHeader, xmlAnswer } from './answers.ts';
import { requireObject } from './asked.ts';
import { lookUp } from './get-object.ts';
import { tagSetTree, tagsOfBody } from './tag-set.ts';

async function getTagging(call: BucketCall): Promise<S3Answer> {
  const versionId = await requireObject(call, 's3:GetObjectTagging');
  const object = await lookUp(call, call.key, versionId);
  return xmlAnswer('Tagging', tagSetTree(object.tags), versionHeader(call.bucket, object.versionId));
}

async function setTags(call: BucketCall, versionId: string | undefined, tags: Tags): Promise<Record<string, string>> {
  const object = await call.store.updateObject(call.bucket.name, call.key, versionId, { tags });
  return versionHeader(call.bucket, object.versionId);
}

async function putTagging(call: BucketCall): Promise<S3Answer> {
  const versionId = await requireObject(call, 's3:PutObjectTagging');
  const tags = await tagsOfBody(call, S3_LIMITS.tagsPerObject);
  return emptyAnswer(200, await setTags(call, versionId, tags));
}

async function deleteTagging(call: BucketCall): Promise<S3Answer> {
  const versionId = await requireObject(call, 's3:DeleteObjectTagging');
  return emptyAnswer(204, await setTags(call, versionId, {}));
}

export const OBJECT_TAGGING_ACTIONS: readonly S3Action[] = [
  { name: 'GetObjectTagging', level: 'object', method: 'GET', query: 'tagging', perform: getTagging },
  { name: 'PutObjectTagging', level: 'object', method: 'PUT', query: 'tagging', perform: putTagging },
  { name: 'DeleteObjectTagging', level: 'object', method: 'DELETE', query: 'tagging', perform: deleteTagging },
];
