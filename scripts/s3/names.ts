/** The actions of the S3 API reference, with those of older clients; a test compares them with the model that the machine's own AWS clients have. */
const BY_VERB: Readonly<Record<string, string>> = {
  Abort: 'MultipartUpload',
  Complete: 'MultipartUpload',
  Copy: 'Object',
  Create: 'Bucket BucketMetadataConfiguration BucketMetadataTableConfiguration MultipartUpload Session',
  Delete:
    'Bucket BucketAnalyticsConfiguration BucketCors BucketEncryption BucketIntelligentTieringConfiguration BucketInventoryConfiguration BucketLifecycle BucketMetadataConfiguration BucketMetadataTableConfiguration BucketMetricsConfiguration BucketOwnershipControls BucketPolicy BucketReplication BucketTagging BucketWebsite Object ObjectTagging Objects PublicAccessBlock',
  Get: 'BucketAbac BucketAccelerateConfiguration BucketAcl BucketAnalyticsConfiguration BucketCors BucketEncryption BucketIntelligentTieringConfiguration BucketInventoryConfiguration BucketLifecycle BucketLifecycleConfiguration BucketLocation BucketLogging BucketMetadataConfiguration BucketMetadataTableConfiguration BucketMetricsConfiguration BucketNotification BucketNotificationConfiguration BucketOwnershipControls BucketPolicy BucketPolicyStatus BucketReplication BucketRequestPayment BucketTagging BucketVersioning BucketWebsite Object ObjectAcl ObjectAttributes ObjectLegalHold ObjectLockConfiguration ObjectRetention ObjectTagging ObjectTorrent PublicAccessBlock',
  Head: 'Bucket Object',
  List: 'BucketAnalyticsConfigurations BucketIntelligentTieringConfigurations BucketInventoryConfigurations BucketMetricsConfigurations Buckets DirectoryBuckets MultipartUploads ObjectVersions Objects ObjectsV2 Parts',
  Post: 'Object',
  Put: 'BucketAbac BucketAccelerateConfiguration BucketAcl BucketAnalyticsConfiguration BucketCors BucketEncryption BucketIntelligentTieringConfiguration BucketInventoryConfiguration BucketLifecycle BucketLifecycleConfiguration BucketLogging BucketMetricsConfiguration BucketNotification BucketNotificationConfiguration BucketOwnershipControls BucketPolicy BucketReplication BucketRequestPayment BucketTagging BucketVersioning BucketWebsite Object ObjectAcl ObjectLegalHold ObjectLockConfiguration ObjectRetention ObjectTagging PublicAccessBlock',
  Rename: 'Object',
  Restore: 'Object',
  Select: 'ObjectContent',
  Update: 'BucketMetadataInventoryTableConfiguration BucketMetadataJournalTableConfiguration ObjectEncryption',
  Upload: 'Part PartCopy',
  Write: 'GetObjectResponse',
};

export const S3_NAMES: readonly string[] = Object.entries(BY_VERB).flatMap(([verb, nouns]) =>
  nouns.split(' ').map((noun) => verb + noun),
);
