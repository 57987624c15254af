import { CloudError, isCode } from '../../../../base/errors.ts';
import { projectWithoutRegion } from '../../../../domain/project-region.ts';
import { checkBucketName } from '../../../../domain/s3/bucket-name.ts';
import { S3_LIMITS, type BucketRecord } from '../../../../domain/s3/records.ts';
import type { BucketCall, S3Action, S3Answer, S3Call } from '../s3-action.ts';
import { grantsAsked } from './acl-headers.ts';
import { emptyAnswer, isoTime, NO_CONTENT, ownerTree, xmlAnswer } from './answers.ts';
import { notImplemented, numberAsked } from './asked.ts';
import { checkOwnership, ownershipOf } from './public-access.ts';
import { readToken, tokenOf } from './page-token.ts';
import { maybe, node, readXml, word } from './xml-request.ts';

/** A bucket as the caller would make it: what there is to ask for when none is there. */
function bucketOf(call: S3Call, name: string): BucketRecord {
  return {
    name,
    projectId: call.projectId(),
    region: call.region,
    createdMs: call.nowMs,
    versioning: 'off',
    grants: [],
    tags: {},
    cors: [],
    lifecycle: [],
    quota: {},
  };
}

async function listBuckets(call: S3Call): Promise<S3Answer> {
  const projectId = call.projectId();
  await call.require('s3:ListAllMyBuckets', bucketOf(call, ''));
  const max = numberAsked(call, 'max-buckets', { min: 1, max: 10_000 }) ?? 10_000;
  const prefix = call.query.get('prefix') ?? '';
  const after = readToken(call, 'continuation-token')?.after ?? '';
  const region = call.query.get('bucket-region');
  const all = await call.store.buckets(projectId);
  const found = all.filter(
    (bucket) =>
      bucket.name.startsWith(prefix) && bucket.name > after && (region === undefined || bucket.region === region),
  );
  const page = found.slice(0, max);
  const last = page.at(-1);
  return xmlAnswer('ListAllMyBucketsResult', {
    Owner: ownerTree(projectId),
    Buckets: {
      Bucket: page.map(({ name, createdMs, region: of }) => ({
        Name: name,
        CreationDate: isoTime(createdMs),
        BucketRegion: of,
      })),
    },
    ContinuationToken: found.length > page.length && last !== undefined ? tokenOf({ after: last.name }) : undefined,
    Prefix: call.query.get('prefix'),
  });
}

const LOCATION = node({ LocationConstraint: maybe(word) });

async function checkLocation(call: S3Call): Promise<void> {
  if (call.body.length === 0) return;
  const body = await call.body.text(16 * 1024);
  if (body.trim() === '') return;
  const location = readXml(body, 'CreateBucketConfiguration', LOCATION, 16 * 1024).LocationConstraint;
  if (location === undefined || location === '' || location === call.region) return;
  const text = `LocationConstraint: ${JSON.stringify(location.slice(0, 60))} is another region than ${call.region}, which you speak to`;
  throw new CloudError('IllegalLocationConstraintException', text);
}

function checkCreate(call: S3Call): void {
  checkBucketName(call.bucketName);
  if (call.header('x-amz-bucket-object-lock-enabled')?.toLowerCase() === 'true')
    throw notImplemented('x-amz-bucket-object-lock-enabled: there are no object locks');
}

function ownershipAsked(call: S3Call): Pick<BucketRecord, 'ownership'> {
  const asked = call.header('x-amz-object-ownership');
  return asked === undefined ? {} : { ownership: ownershipOf(asked) };
}

async function createBucket(call: S3Call): Promise<S3Answer> {
  const bucket = { ...bucketOf(call, call.bucketName), ...ownershipAsked(call) };
  checkCreate(call);
  await call.require('s3:CreateBucket', bucket);
  const grants = grantsAsked(call, bucket.projectId) ?? [];
  if (grants.length > 0) await call.require('s3:PutBucketAcl', bucket);
  checkOwnership(bucket, grants);
  await checkLocation(call);
  const make = () => call.store.createBucket({ ...bucket, grants }, { maxInProject: S3_LIMITS.bucketsPerProject });
  const projectId = projectWithoutRegion(bucket.projectId);
  try {
    await (call.keeper?.gate.make(projectId, () => call.accountIdNow(projectId), make) ?? make());
  } catch (error) {
    if (isCode(error, 'BucketAlreadyExists') && error.details?.['projectId'] === bucket.projectId)
      throw new CloudError('BucketAlreadyOwnedByYou', `the bucket ${bucket.name} is there, and yours`);
    if (isCode(error, 'BucketAlreadyExists'))
      throw new CloudError('BucketAlreadyExists', `the name ${bucket.name} is taken: choose another one`);
    throw error;
  }
  return emptyAnswer(200, { location: `/${bucket.name}` });
}

async function headBucket({ bucket }: BucketCall): Promise<S3Answer> {
  return emptyAnswer(200, { 'x-amz-bucket-region': bucket.region });
}

async function deleteBucket({ store, bucket }: BucketCall): Promise<S3Answer> {
  await store.deleteBucket(bucket.name);
  return NO_CONTENT;
}

async function getBucketLocation({ bucket }: BucketCall): Promise<S3Answer> {
  // The oldest region of S3 has no name there.
  return xmlAnswer('LocationConstraint', bucket.region === 'us-east-1' ? '' : bucket.region);
}

export const BUCKET_ACTIONS: readonly S3Action[] = [
  { name: 'ListBuckets', level: 'service', method: 'GET', perform: listBuckets },
  { name: 'CreateBucket', level: 'new-bucket', method: 'PUT', perform: createBucket },
  { name: 'HeadBucket', level: 'bucket', method: 'HEAD', permission: 's3:ListBucket', perform: headBucket },
  { name: 'DeleteBucket', level: 'bucket', method: 'DELETE', permission: 's3:DeleteBucket', perform: deleteBucket },
  {
    name: 'GetBucketLocation',
    level: 'bucket',
    method: 'GET',
    query: 'location',
    permission: 's3:GetBucketLocation',
    perform: getBucketLocation,
  },
];
