import type { ErrorCode } from '../../../../base/error-codes.ts';
import { CloudError } from '../../../../base/errors.ts';
import type { BucketCall, S3Action, S3Answer } from '../s3-action.ts';
import type { S3Tree } from '../s3-xml.ts';
import { emptyAnswer, NO_CONTENT, xmlAnswer } from './answers.ts';
import { notImplemented } from './asked.ts';
import { settingRow } from './bucket-settings.ts';
import { node, one, word, xmlBody, many } from './xml-request.ts';

type Perform = (call: BucketCall) => Promise<S3Answer>;

const tells =
  (name: string, tree: S3Tree): Perform =>
  async () =>
    xmlAnswer(name, tree);

const isAbsent =
  (code: ErrorCode, what: string): Perform =>
  async ({ bucket }) => {
    throw new CloudError(code, `the bucket ${bucket.name} has no ${what}`);
  };

const refuses =
  (why: string): Perform =>
  async () => {
    throw notImplemented(why);
  };

/** What there is not is gone as soon as it is asked for. */
const nothingToDelete: Perform = async () => NO_CONTENT;

const OWNERSHIP = node({ Rule: many(node({ ObjectOwnership: one(word) }), 10) });

async function putOwnership(call: BucketCall): Promise<S3Answer> {
  const { Rule } = await xmlBody(call, 'OwnershipControls', OWNERSHIP);
  if (Rule.length !== 1 || Rule[0]?.ObjectOwnership !== 'BucketOwnerPreferred') {
    throw notImplemented(
      'ObjectOwnership: objects are owned by the owner of the bucket, and their grants are obeyed: BucketOwnerPreferred',
    );
  }
  return emptyAnswer();
}

const PAYMENT = node({ Payer: one(word) });

async function putPayment(call: BucketCall): Promise<S3Answer> {
  const { Payer } = await xmlBody(call, 'RequestPaymentConfiguration', PAYMENT);
  if (Payer !== 'BucketOwner') throw notImplemented('Payer: nobody pays here');
  return emptyAnswer();
}

const NO_LOCKS = 'there are no object locks: versions that nobody may delete are a policy with a Deny';
const NO_ENCRYPTION = 'objects are kept as they come: encrypt the disk of the object store';
const NO_WEBSITE = 'buckets are no websites here';
const NO_REPLICATION = 'buckets are not copied by themselves: synchronise them by a client';
const NO_BLOCK = 'nothing overrides policies and grants: they are as they were put';
const NO_LOGGING = 'the access log is kept by the server, not in a bucket';
const NO_EVENTS = 'nobody is notified of changes';
const NO_ACCELERATION = 'there is one place, and one way to it';

/** Settings of S3 that no bucket has here: told truthfully when they are looked at, refused when they are set. */
export const ABSENT_ACTIONS: readonly S3Action[] = [
  settingRow(
    'GetBucketOwnershipControls',
    'GET',
    'ownershipControls',
    tells('OwnershipControls', { Rule: { ObjectOwnership: 'BucketOwnerPreferred' } }),
  ),
  settingRow('PutBucketOwnershipControls', 'PUT', 'ownershipControls', putOwnership),
  settingRow(
    'DeleteBucketOwnershipControls',
    'DELETE',
    'ownershipControls',
    refuses('ownershipControls: objects are owned by the owner of the bucket in any case'),
    's3:PutBucketOwnershipControls',
  ),
  settingRow(
    'GetPublicAccessBlock',
    'GET',
    'publicAccessBlock',
    isAbsent('NoSuchPublicAccessBlockConfiguration', 'block of public access'),
    's3:GetBucketPublicAccessBlock',
  ),
  settingRow('PutPublicAccessBlock', 'PUT', 'publicAccessBlock', refuses(NO_BLOCK), 's3:PutBucketPublicAccessBlock'),
  settingRow(
    'DeletePublicAccessBlock',
    'DELETE',
    'publicAccessBlock',
    nothingToDelete,
    's3:PutBucketPublicAccessBlock',
  ),
  settingRow(
    'GetBucketEncryption',
    'GET',
    'encryption',
    isAbsent('ServerSideEncryptionConfigurationNotFoundError', 'encryption'),
    's3:GetEncryptionConfiguration',
  ),
  settingRow('PutBucketEncryption', 'PUT', 'encryption', refuses(NO_ENCRYPTION), 's3:PutEncryptionConfiguration'),
  settingRow('DeleteBucketEncryption', 'DELETE', 'encryption', nothingToDelete, 's3:PutEncryptionConfiguration'),
  settingRow('GetBucketLogging', 'GET', 'logging', tells('BucketLoggingStatus', {})),
  settingRow('PutBucketLogging', 'PUT', 'logging', refuses(NO_LOGGING)),
  settingRow('GetBucketWebsite', 'GET', 'website', isAbsent('NoSuchWebsiteConfiguration', 'website')),
  settingRow('PutBucketWebsite', 'PUT', 'website', refuses(NO_WEBSITE)),
  settingRow('DeleteBucketWebsite', 'DELETE', 'website', nothingToDelete),
  settingRow(
    'GetBucketNotificationConfiguration',
    'GET',
    'notification',
    tells('NotificationConfiguration', {}),
    's3:GetBucketNotification',
  ),
  settingRow(
    'PutBucketNotificationConfiguration',
    'PUT',
    'notification',
    refuses(NO_EVENTS),
    's3:PutBucketNotification',
  ),
  settingRow(
    'GetBucketRequestPayment',
    'GET',
    'requestPayment',
    tells('RequestPaymentConfiguration', { Payer: 'BucketOwner' }),
  ),
  settingRow('PutBucketRequestPayment', 'PUT', 'requestPayment', putPayment),
  settingRow(
    'GetBucketAccelerateConfiguration',
    'GET',
    'accelerate',
    tells('AccelerateConfiguration', {}),
    's3:GetAccelerateConfiguration',
  ),
  settingRow(
    'PutBucketAccelerateConfiguration',
    'PUT',
    'accelerate',
    refuses(NO_ACCELERATION),
    's3:PutAccelerateConfiguration',
  ),
  settingRow(
    'GetObjectLockConfiguration',
    'GET',
    'object-lock',
    isAbsent('ObjectLockConfigurationNotFoundError', 'object lock'),
    's3:GetBucketObjectLockConfiguration',
  ),
  settingRow(
    'PutObjectLockConfiguration',
    'PUT',
    'object-lock',
    refuses(NO_LOCKS),
    's3:PutBucketObjectLockConfiguration',
  ),
  settingRow(
    'GetBucketReplication',
    'GET',
    'replication',
    isAbsent('ReplicationConfigurationNotFoundError', 'replication'),
    's3:GetReplicationConfiguration',
  ),
  settingRow('PutBucketReplication', 'PUT', 'replication', refuses(NO_REPLICATION), 's3:PutReplicationConfiguration'),
  settingRow('DeleteBucketReplication', 'DELETE', 'replication', nothingToDelete, 's3:PutReplicationConfiguration'),
];
