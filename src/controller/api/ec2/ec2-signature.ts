import { CloudError, isCode } from '../../../base/errors.ts';
import { sha256Hex } from '../../../base/ids.ts';
import { claimedSignature, type ClaimedSignature } from '../signature/claimed-signature.ts';
import { verifySignature } from '../signature/verify-signature.ts';
import type { NamedKey } from './ec2-principal.ts';
import type { Regions } from './ec2-regions.ts';
import { hasAlgorithm, hostForms, type Ec2Request } from './ec2-request.ts';
import { STS_SERVICE } from './sts.ts';
import { isSignedInParameters, verifySignatureV2 } from './ec2-signature-v2.ts';

/** The service that requests to this API are signed for. */
export const EC2_SERVICE = 'ec2';
/** What signs for these is no request to this API, whatever the host is called. */
const OTHER_SERVICES = ['novactl', 's3'];

export interface Ec2SignatureOptions {
  readonly regions: Regions;
  readonly secretOf: (accessKeyId: string) => string | undefined;
  readonly nowMs: number;
  /** Whether version 2 is taken. */
  readonly signatureV2: boolean;
}

/** Who says that they signed, rightly, and for which region. */
export interface Ec2Signer extends NamedKey {
  readonly region: string;
  /** Of what: `ec2`, or `sts` for the one question of it that is answered. */
  readonly service: typeof EC2_SERVICE | typeof STS_SERVICE;
}

const IN_QUERY = ['Algorithm', 'Credential', 'Date', 'Expires', 'SignedHeaders', 'Signature'].map(
  (name) => `X-Amz-${name}`,
);

/** By another host in the same request; the first refusal is the one that counts. */
function withHosts<T>(host: string, verify: (host: string) => T): T {
  const [first = host, ...others] = hostForms(host);
  try {
    return verify(first);
  } catch (refusal) {
    if (!isCode(refusal, 'SignatureDoesNotMatch')) throw refusal;
    for (const other of others) {
      try {
        return verify(other);
      } catch (again) {
        if (!isCode(again, 'SignatureDoesNotMatch')) throw again;
      }
    }
    throw refusal;
  }
}

function checkBodyHash({ signable }: Ec2Request, hash: string): void {
  const values = signable.headers.get('x-amz-content-sha256') ?? [];
  if (values.every((value) => value.trim() === hash) && values.length < 2) return;
  throw new CloudError('SignatureDoesNotMatch', 'x-amz-content-sha256 must be the SHA-256 of the body that came');
}

function refuseSessions({ signable, parameters }: Ec2Request): void {
  const has = signable.headers.has('x-amz-security-token');
  if (!has && !parameters.has('X-Amz-Security-Token') && !parameters.has('SecurityToken')) return;
  throw new CloudError(
    'InvalidClientTokenId',
    'the request carries a session token, and there are no temporary credentials here; use an access key without one (unset AWS_SESSION_TOKEN)',
  );
}

/**
 * The scope that boto 2 signs for when nobody told it another: it takes host names apart as if they were AWS's, `ec2.region.amazonaws.com`.
 * (boto 2.49, auth.py, HmacAuthV4Handler.)
 */
function scopeOfHost(host: string): { service: string; region: string } {
  const [service = '', second = service, ...more] = host.replace(/:\d+$/, '').split('.');
  return { service, region: more.length === 1 ? 'us-east-1' : second };
}

/** What the signature must be for: this API in a region of this cloud, or what boto 2 makes of the host's name, which means the first region. */
function scopeFor({ scope }: ClaimedSignature, host: string, regions: Regions): { service: string; region: string } {
  const ofHost = scopeOfHost(host);
  const isOfHost = scope.service === ofHost.service && !OTHER_SERVICES.includes(scope.service);
  const service = isOfHost || scope.service === STS_SERVICE ? scope.service : EC2_SERVICE;
  if (regions.names.includes(scope.region)) return { service, region: scope.region };
  // Clients ask one STS for all regions, by a name of AWS's.
  if (service === STS_SERVICE || scope.region === ofHost.region) return { service, region: regions.first };
  return { service, region: regions.find(scope.region).name };
}

function byVersion4(request: Ec2Request, options: Ec2SignatureOptions): Ec2Signer {
  const { signable, body, parameters, host } = request;
  const claimed = claimedSignature(signable);
  const { service, region } = scopeFor(claimed, host, options.regions);
  const hash = sha256Hex(body);
  checkBodyHash(request, hash);
  const { accessKeyId, projectId } = withHosts(signable.headers.get('host')?.[0]?.trim() ?? '', (hostForm) =>
    verifySignature(
      { ...signable, headers: new Map([...signable.headers, ['host', [hostForm]]]) },
      {
        ...{ claimed, service, region: claimed.scope.region, nowMs: options.nowMs, pathStyle: 'encoded' },
        secretOf: options.secretOf,
        payloadHash: () => hash,
        namesProject: true,
      },
    ),
  );
  if (claimed.form === 'query') for (const name of IN_QUERY) parameters.delete(name);
  return { accessKeyId, projectId, region, service: service === STS_SERVICE ? STS_SERVICE : EC2_SERVICE };
}

/**
 * Checks the request's signature, and takes the parameters that carried it away. Errors: 'MissingAuthenticationToken', 'IncompleteSignature', 'RequestExpired',
 * 'InvalidClientTokenId', 'SignatureDoesNotMatch', 'AuthFailure' (a version that is not taken).
 */
export function verifyEc2Signature(request: Ec2Request, options: Ec2SignatureOptions): Ec2Signer {
  refuseSessions(request);
  const isVersion4 = request.signable.headers.has('authorization') || hasAlgorithm(request.signable);
  if (isVersion4 || !isSignedInParameters(request)) return byVersion4(request, options);
  const { secretOf, nowMs, signatureV2, regions } = options;
  // Version 2 signs no region: it is the first.
  return {
    ...verifySignatureV2(request, { on: signatureV2, nowMs, secretOf }),
    region: regions.first,
    service: EC2_SERVICE,
  };
}
