import { CloudError } from '../../../base/errors.ts';
import { matchesPattern } from '../../../domain/s3/policy.ts';
import type { CorsRule } from '../../../domain/s3/records.ts';
import type { S3Answer } from './s3-action.ts';

/** What a browser says of a request that a page of another origin makes. */
export interface CorsAsked {
  readonly origin: string;
  readonly method: string;
  /** Of a preflight: headers that the request will have, as the browser wrote them. */
  readonly headers: string | undefined;
}

const namesIn = (list: string | undefined): string[] =>
  (list ?? '')
    .split(',')
    .map((name) => name.trim().toLowerCase())
    .filter((name) => name !== '');

const allows = (rule: CorsRule, { origin, method, headers }: CorsAsked): boolean =>
  rule.allowedOrigins.some((pattern) => matchesPattern(origin, pattern)) &&
  rule.allowedMethods.some((one) => one === method) &&
  namesIn(headers).every((name) => rule.allowedHeaders.some((one) => matchesPattern(name, one.toLowerCase())));

/** The headers that let the page have the answer; none when no rule of the bucket lets it. */
export function corsHeaders(rules: readonly CorsRule[], asked: CorsAsked): Record<string, string> {
  const rule = rules.find((one) => allows(one, asked));
  if (rule === undefined) return {};
  const isForAll = rule.allowedOrigins.includes('*');
  return {
    'access-control-allow-origin': isForAll ? '*' : asked.origin,
    'access-control-allow-methods': rule.allowedMethods.join(', '),
    ...(asked.headers === undefined ? {} : { 'access-control-allow-headers': namesIn(asked.headers).join(', ') }),
    ...(rule.exposeHeaders.length === 0 ? {} : { 'access-control-expose-headers': rule.exposeHeaders.join(', ') }),
    ...(rule.maxAgeSeconds === undefined ? {} : { 'access-control-max-age': String(rule.maxAgeSeconds) }),
    ...(isForAll ? {} : { 'access-control-allow-credentials': 'true' }),
    vary: 'Origin, Access-Control-Request-Headers, Access-Control-Request-Method',
  };
}

/** The answer to OPTIONS. Errors: 'InvalidRequest' for what is no preflight, 'AccessDenied' when no rule allows it. */
export function preflightAnswer(rules: readonly CorsRule[], header: (name: string) => string | undefined): S3Answer {
  const [origin, method] = [header('origin'), header('access-control-request-method')];
  if (origin === undefined || method === undefined) {
    throw new CloudError(
      'InvalidRequest',
      'OPTIONS is for preflight requests of browsers: Origin and Access-Control-Request-Method are needed',
    );
  }
  const headers = corsHeaders(rules, { origin, method, headers: header('access-control-request-headers') });
  if (Object.keys(headers).length > 0) return { status: 200, headers, body: '' };
  throw new CloudError(
    'AccessDenied',
    'CORSResponse: this CORS request is not allowed: no rule of the bucket has its origin, method and headers together',
  );
}
