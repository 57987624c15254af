import { createHmac, timingSafeEqual } from 'node:crypto';
import { CloudError } from '../../../base/errors.ts';
import { s3SignatureV2 } from '../../../base/signature/signature-s3v2.ts';
import { ALGORITHM, signingKey } from '../../../base/signature/signature-v4.ts';
import type { NamedKey } from '../ec2/ec2-principal.ts';
import { namedKey } from '../signature/claimed-signature.ts';
import { S3_SERVICE, type S3SignatureOptions } from './s3-signature.ts';

/** A key that nobody has, so that an unknown id costs what a known one does. */
const NOBODY = 'nobody';

interface Claim {
  readonly key: NamedKey;
  readonly signature: string;
  readonly sign: (secret: string, policy: string) => string;
}

const malformed = (text: string): CloudError => new CloudError('AccessDenied', text);

const CREDENTIAL = /^(?<keyText>[^/]+)\/(?<date>\d{8})\/(?<region>[^/]+)\/(?<service>[^/]+)\/aws4_request$/;

function claimV4(fields: ReadonlyMap<string, string>, { regions }: S3SignatureOptions): Claim {
  const field = (name: string): string => fields.get(name) ?? '';
  const {
    keyText = '',
    date = '',
    region = '',
    service = '',
  } = CREDENTIAL.exec(field('x-amz-credential'))?.groups ?? {};
  const key = namedKey(keyText);
  if (key === undefined || field('x-amz-algorithm') !== ALGORITHM) {
    throw malformed(
      `x-amz-credential must be KEYID/YYYYMMDD/region/${S3_SERVICE}/aws4_request, and x-amz-algorithm ${ALGORITHM}`,
    );
  }
  if (service !== S3_SERVICE || !regions.names.includes(region))
    throw malformed(`x-amz-credential must be for the service ${S3_SERVICE} in ${regions.names.join(' or ')}`);
  if (!field('x-amz-date').startsWith(date)) throw malformed('x-amz-date must be of the day in x-amz-credential');
  const scope = { date, region, service };
  return {
    key,
    signature: field('x-amz-signature'),
    sign: (secret, policy) => createHmac('sha256', signingKey(secret, scope)).update(policy, 'utf8').digest('hex'),
  };
}

function claimV2(fields: ReadonlyMap<string, string>, { signatureV2 }: S3SignatureOptions): Claim {
  if (!signatureV2) {
    throw new CloudError(
      'InvalidRequest',
      'signature version 2 is not taken here: please use AWS4-HMAC-SHA256, or have objectstore.signatureV2 set to on',
    );
  }
  const key = namedKey(fields.get('awsaccesskeyid') ?? '');
  if (key === undefined) throw malformed('AWSAccessKeyId must be an access key, KEY or KEY:project');
  return { key, signature: fields.get('signature') ?? '', sign: s3SignatureV2 };
}

/**
 * Who signed a form's policy; undefined: nobody did. What the policy says is not looked at.
 * Errors: 'AccessDenied', 'InvalidRequest', 'InvalidClientTokenId', 'SignatureDoesNotMatch'.
 */
export function verifyForm(fields: ReadonlyMap<string, string>, options: S3SignatureOptions): NamedKey | undefined {
  const isV4 = ['x-amz-signature', 'x-amz-credential', 'x-amz-algorithm'].some((name) => fields.has(name));
  const isV2 = fields.has('signature') || fields.has('awsaccesskeyid');
  if (!isV4 && !isV2) return undefined;
  if (isV4 && isV2) throw malformed('the form is signed in two ways; only one of them may be there');
  const policy = fields.get('policy');
  if (policy === undefined) throw malformed('the form is signed, and has no policy');
  const { key, signature, sign } = isV4 ? claimV4(fields, options) : claimV2(fields, options);
  const secret = options.secretOf(key.accessKeyId);
  const [is, must] = [Buffer.from(signature, 'latin1'), Buffer.from(sign(secret ?? NOBODY, policy), 'latin1')];
  const same = is.length === must.length && timingSafeEqual(is, must);
  if (secret === undefined)
    throw new CloudError('InvalidClientTokenId', `there is no active access key ${key.accessKeyId.slice(0, 64)} here`);
  if (same) return key;
  throw new CloudError(
    'SignatureDoesNotMatch',
    "the form's signature is not what the secret of this access key gives for its policy",
  );
}
