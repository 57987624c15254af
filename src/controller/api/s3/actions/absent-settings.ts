import type { ErrorCode } from '../../../../base/error-codes.ts';
import { CloudError } from '../../../../base/errors.ts';
import type { BucketCall, S3Action, S3Answer } from '../s3-action.ts';
import type { S3Tree } from '../s3-xml.ts';
import { emptyAnswer, NO_CONTENT, xmlAnswer } from './answers.ts';
import { notImplemented } from './asked.ts';
import { settingRow } from './bucket-settings.ts';
import { node, one, word, xmlBody } from './xml-request.ts';

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

interface Refused extends Pick<S3Action, 'name' | 'method' | 'permission'> {
  readonly query: string;
  readonly why: string;
}

const refusal = ({ name, method, query, permission, why }: Refused): S3Action =>
  settingRow(
    ...([name, method, query] as const),
    async () => {
      throw notImplemented(`${query}: ${why}`);
    },
    permission,
  );

/** What there is not is gone as soon as it is asked for. */
const nothingToDelete: Perform = async () => NO_CONTENT;

const PAYMENT = node({ Payer: one(word) });

async function putPayment(call: BucketCall): Promise<S3Answer> {
  const { Payer } = await xmlBody(call, 'RequestPaymentConfiguration', PAYMENT);
  if (Payer !== 'BucketOwner') throw notImplemented('Payer: nobody pays here');
  return emptyAnswer();
}

/** What can not be set, with the reason: it is answered, and stands in the table of actions. */
export const REFUSED_SETTINGS: readonly Refused[] = [
  {
    name: 'PutBucketEncryption',
    method: 'PUT',
    query: 'encryption',
    permission: 's3:PutEncryptionConfiguration',
    why: 'objects are kept as they come: encrypt the disk of the object store',
  },
  {
    name: 'PutBucketLogging',
    method: 'PUT',
    query: 'logging',
    permission: 's3:PutBucketLogging',
    why: 'the access log is kept by the server, not in a bucket',
  },
  {
    name: 'PutBucketWebsite',
    method: 'PUT',
    query: 'website',
    permission: 's3:PutBucketWebsite',
    why: 'buckets are no websites here',
  },
  {
    name: 'PutBucketNotificationConfiguration',
    method: 'PUT',
    query: 'notification',
    permission: 's3:PutBucketNotification',
    why: 'nobody is notified of changes',
  },
  {
    name: 'PutBucketAccelerateConfiguration',
    method: 'PUT',
    query: 'accelerate',
    permission: 's3:PutAccelerateConfiguration',
    why: 'there is one place, and one way to it',
  },
  {
    name: 'PutObjectLockConfiguration',
    method: 'PUT',
    query: 'object-lock',
    permission: 's3:PutBucketObjectLockConfiguration',
    why: 'there are no object locks: versions that nobody may delete are a policy with a Deny',
  },
  {
    name: 'PutBucketReplication',
    method: 'PUT',
    query: 'replication',
    permission: 's3:PutReplicationConfiguration',
    why: 'buckets are not copied by themselves: synchronise them by a client',
  },
];

/** Settings of S3 that no bucket has here: told truthfully when they are looked at, refused when they are set. */
export const ABSENT_ACTIONS: readonly S3Action[] = [
  settingRow(
    'GetBucketEncryption',
    'GET',
    'encryption',
    isAbsent('ServerSideEncryptionConfigurationNotFoundError', 'encryption'),
    's3:GetEncryptionConfiguration',
  ),
  settingRow('DeleteBucketEncryption', 'DELETE', 'encryption', nothingToDelete, 's3:PutEncryptionConfiguration'),
  settingRow('GetBucketLogging', 'GET', 'logging', tells('BucketLoggingStatus', {})),
  settingRow('GetBucketWebsite', 'GET', 'website', isAbsent('NoSuchWebsiteConfiguration', 'website')),
  settingRow('DeleteBucketWebsite', 'DELETE', 'website', nothingToDelete),
  settingRow(
    'GetBucketNotificationConfiguration',
    'GET',
    'notification',
    tells('NotificationConfiguration', {}),
    's3:GetBucketNotification',
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
    'GetObjectLockConfiguration',
    'GET',
    'object-lock',
    isAbsent('ObjectLockConfigurationNotFoundError', 'object lock'),
    's3:GetBucketObjectLockConfiguration',
  ),
  settingRow(
    'GetBucketReplication',
    'GET',
    'replication',
    isAbsent('ReplicationConfigurationNotFoundError', 'replication'),
    's3:GetReplicationConfiguration',
  ),
  settingRow('DeleteBucketReplication', 'DELETE', 'replication', nothingToDelete, 's3:PutReplicationConfiguration'),
  ...REFUSED_SETTINGS.map(refusal),
];
