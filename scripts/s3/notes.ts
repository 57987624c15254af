const NONE = 'there is none: a truthful answer';

/** What is not done of the actions that are carried out in part. An action that is carried out and not named here is done whole. */
export const PARTLY: Readonly<Record<string, string>> = {
  CompleteMultipartUpload:
    'a second one of the same upload gets the same answer as long as the object that it made is the current one',
  CopyObject: 'the ETag of an object made in parts stays as it is; no encryption, no storage class but STANDARD',
  CreateBucket: 'in the region that is spoken to; no object lock; not ownership ObjectWriter',
  CreateMultipartUpload: 'no encryption, no storage class but STANDARD',
  DeleteBucketEncryption: NONE,
  DeleteBucketReplication: NONE,
  DeleteBucketWebsite: NONE,
  DeleteObject: 'If-Match is the one condition',
  DeleteObjects: 'ETag is the one condition',
  GetBucketAccelerateConfiguration: NONE,
  GetBucketAcl: 'the owner is the project, and canonical ids are ids of projects',
  GetBucketEncryption: NONE,
  GetBucketLogging: NONE,
  GetBucketNotificationConfiguration: NONE,
  GetBucketOwnershipControls:
    'BucketOwnerPreferred where nothing was put: all that is in a bucket is owned by its owner',
  GetBucketReplication: NONE,
  GetBucketRequestPayment: 'BucketOwner',
  GetBucketWebsite: NONE,
  GetObject: 'one range; several are answered with the whole',
  GetObjectAcl: 'the owner is the project that has the bucket',
  GetObjectLockConfiguration: NONE,
  PostObject: 'no storage class but STANDARD',
  PutBucketAcl:
    'grants beside the owner’s own, who can not be locked out; grantees are projects and the groups AllUsers and AuthenticatedUsers',
  PutBucketLifecycleConfiguration: 'expiry of objects, old versions, markers and uploads; no transitions',
  PutBucketOwnershipControls:
    'BucketOwnerPreferred and BucketOwnerEnforced; a request that asks for the ACL private, and so for nothing, is taken in both',
  PutBucketPolicy:
    'a subset, all else is refused: Effect, Principal (*, accounts, projects), Action, Resource, and Condition with StringEquals, StringNotEquals, StringLike, StringNotLike, Bool, IpAddress, NotIpAddress of aws:SourceIp, aws:SecureTransport, s3:prefix, s3:delimiter, s3:x-amz-acl; addresses are IPv4; no variables',
  PutBucketRequestPayment: 'BucketOwner alone',
  PutBucketVersioning: 'no MFA delete',
  PutObject: 'no encryption, no object lock, no redirects, no storage class but STANDARD, nothing is appended to',
  PutObjectAcl: 'as PutBucketAcl',
  UploadPart: 'no encryption with keys of the client',
  UploadPartCopy: 'the bytes are read and written again',
};

/** What S3 does not have: actions of this cloud alone, and how they are asked for. */
export const OWN: Readonly<Record<string, string>> = {
  CollectObjects: 'of this cloud: `POST /?x-novactl-collect`, for cloudadmin',
  GetBucketQuota: 'of this cloud: `GET /BUCKET?x-novactl-quota`',
  PresignObject: 'of this cloud: `?x-novactl-presign`, an address that the cloud signs',
  PutBucketQuota: 'of this cloud: `PUT /BUCKET?x-novactl-quota`, for the manager of the project and cloudadmin',
  ScrubObjects: 'of this cloud: `POST /?x-novactl-scrub`, for cloudadmin',
  ShowObjectStore: 'of this cloud: `GET /?x-novactl-keeping`, for cloudadmin',
};

/** Older names of the same requests. */
export const ALIASES: Readonly<Record<string, string>> = {
  GetBucketLifecycle: 'GetBucketLifecycleConfiguration',
  GetBucketNotification: 'GetBucketNotificationConfiguration',
  PutBucketLifecycle: 'PutBucketLifecycleConfiguration',
  PutBucketNotification: 'PutBucketNotificationConfiguration',
};

/** Why an action is not carried out, where its answer does not say it. */
export const WHY_NOT: Readonly<Record<string, string>> = {
  CreateSession: 'there are no directory buckets',
  GetObjectLegalHold: 'there are no object locks',
  GetObjectRetention: 'there are no object locks',
  ListDirectoryBuckets: 'there are no directory buckets; their list is asked for as ListBuckets is, and so answered',
  PutObjectLegalHold: 'there are no object locks',
  PutObjectRetention: 'there are no object locks',
  RestoreObject: 'there is no archive',
  WriteGetObjectResponse: 'there are no functions between objects and clients',
};
