import { z } from 'zod';
import { CloudError } from '../../../../base/errors.ts';
import type { CorsRule } from '../../../../domain/s3/records.ts';
import type { BucketCall, S3Action, S3Answer } from '../s3-action.ts';
import type { S3Tree } from '../s3-xml.ts';
import { emptyAnswer, NO_CONTENT, xmlAnswer } from './answers.ts';
import { change, settingRow } from './bucket-settings.ts';
import { many, maybe, node, whole, word, xmlBody } from './xml-request.ts';

const METHODS = ['GET', 'PUT', 'POST', 'DELETE', 'HEAD'] as const;
/** Of origins and headers: at most one star. */
const pattern = word.refine((value) => value !== '' && value.split('*').length <= 2, 'is empty, or has several *');
const RULE = node({
  ID: maybe(word.max(255)),
  AllowedOrigin: z.array(pattern).min(1).max(100),
  AllowedMethod: z.array(z.preprocess((value) => String(value).trim(), z.enum(METHODS))).min(1),
  AllowedHeader: many(pattern, 100),
  ExposeHeader: many(word.regex(/^[\w-]+$/, 'is the name of a header, without *'), 100),
  MaxAgeSeconds: maybe(whole),
});
const CORS = node({ CORSRule: z.array(RULE).min(1).max(100) });

function ruleOf(rule: z.output<typeof RULE>): CorsRule {
  return {
    ...(rule.ID === undefined ? {} : { id: rule.ID }),
    allowedOrigins: rule.AllowedOrigin,
    allowedMethods: rule.AllowedMethod,
    allowedHeaders: rule.AllowedHeader,
    exposeHeaders: rule.ExposeHeader,
    ...(rule.MaxAgeSeconds === undefined ? {} : { maxAgeSeconds: rule.MaxAgeSeconds }),
  };
}

const treeOf = (rule: CorsRule): S3Tree => ({
  ID: rule.id,
  AllowedOrigin: rule.allowedOrigins,
  AllowedMethod: rule.allowedMethods,
  AllowedHeader: rule.allowedHeaders,
  ExposeHeader: rule.exposeHeaders,
  MaxAgeSeconds: rule.maxAgeSeconds,
});

async function getCors({ bucket }: BucketCall): Promise<S3Answer> {
  if (bucket.cors.length === 0)
    throw new CloudError('NoSuchCORSConfiguration', `the bucket ${bucket.name} has no rules for other origins`);
  return xmlAnswer('CORSConfiguration', { CORSRule: bucket.cors.map(treeOf) });
}

async function putCors(call: BucketCall): Promise<S3Answer> {
  const { CORSRule } = await xmlBody(call, 'CORSConfiguration', CORS);
  await change(call, { cors: CORSRule.map(ruleOf) });
  return emptyAnswer();
}

async function deleteCors(call: BucketCall): Promise<S3Answer> {
  await change(call, { cors: [] });
  return NO_CONTENT;
}

export const CORS_ACTIONS: readonly S3Action[] = [
  settingRow('GetBucketCors', 'GET', 'cors', getCors, 's3:GetBucketCORS'),
  settingRow('PutBucketCors', 'PUT', 'cors', putCors, 's3:PutBucketCORS'),
  settingRow('DeleteBucketCors', 'DELETE', 'cors', deleteCors, 's3:PutBucketCORS'),
];
