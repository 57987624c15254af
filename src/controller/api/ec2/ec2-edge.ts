import type { Clock } from '../../../base/clock.ts';
import { asCloudError, CloudError } from '../../../base/errors.ts';
import type { Logger } from '../../../base/logger.ts';
import type { Random } from '../../../base/random.ts';
import { randomHex } from '../../../base/random.ts';
import { projectInRegion, type RegionZones } from '../../../domain/project-region.ts';
import type { Principal } from '../../operations/handler.ts';
import type { Accounts } from '../../users/directory-memo.ts';
import type { Gateway } from '../gateway.ts';
import { actionNamed } from './actions/index.ts';
import { faultAnswer, queryAnswer, successAnswer, type Ec2Answer } from './ec2-answer.ts';
import { ec2Call, refuseUnread } from './ec2-call.ts';
import { ec2Fault } from './ec2-error.ts';
import type { Ec2Callers } from './ec2-principal.ts';
import { regionsOf, type Regions } from './ec2-regions.ts';
import { readEc2Request, type Ec2Request, type RawEc2Request } from './ec2-request.ts';
import { verifyEc2Signature } from './ec2-signature.ts';
import { Params } from './params.ts';
import { callerIdentity, requireSts, STS_NAMESPACE, STS_SERVICE } from './sts.ts';
import { rateClassOf, type RateLimit } from './rate-limit.ts';

export interface Ec2EdgeOptions {
  readonly gateway: Pick<Gateway, 'unary'>;
  /** Whose account is whose, now. Errors: 'Unavailable'. */
  readonly accounts: () => Promise<Accounts>;
  readonly callers: Ec2Callers;
  /** At least one; the first is that of requests which name none. */
  readonly regions: () => readonly RegionZones[];
  /** Whether the regions' zones are all that there may be, so that each call sees its own alone. */
  readonly ownZones: boolean;
  readonly clock: Pick<Clock, 'nowMs' | 'monotonicMs'>;
  readonly random: Random;
  readonly logger: Logger;
  /** Whether signature version 2 is taken. */
  readonly signatureV2: boolean;
  readonly rateLimit: Pick<RateLimit, 'take'>;
}

const RETRY_AFTER = 'retryAfterSeconds';
const FIRST_VERSION = '2009-11-30';
const LAST_VERSION = '2016-11-15';

/** What the log says of a request, filled as far as it came. */
interface Trace {
  action?: string;
  version?: string;
  region?: string;
  principal?: string;
}

/** EC2's Query API, without the sockets: a request in, an answer out, whatever the request is. */
export class Ec2Edge {
  readonly #options: Ec2EdgeOptions;

  constructor(options: Ec2EdgeOptions) {
    this.#options = options;
  }

  /** Never rejects. */
  async answer(raw: RawEc2Request): Promise<Ec2Answer> {
    const { clock } = this.#options;
    const requestId = this.newRequestId();
    const startedMs = clock.monotonicMs();
    const trace: Trace = {};
    try {
      const done = await this.#carryOut(raw, requestId, trace);
      this.#log(requestId, trace, raw, { code: 'ok', tookMs: clock.monotonicMs() - startedMs });
      return done;
    } catch (thrown) {
      return this.#refuse(thrown, requestId, trace, raw, startedMs);
    }
  }

  /** The answer to what is no request at all, or one too many. */
  refusal(error: CloudError): Ec2Answer {
    const requestId = this.newRequestId();
    this.#options.logger.debug('EC2 request refused', { requestId, code: error.code, error: error.message });
    return faultAnswer(ec2Fault(error, requestId), requestId);
  }

  newRequestId(): string {
    return `req-${randomHex(this.#options.random, 17)}`;
  }

  async #carryOut(raw: RawEc2Request, requestId: string, trace: Trace): Promise<Ec2Answer> {
    const { accounts, callers, clock, gateway, signatureV2 } = this.#options;
    const request = readEc2Request(raw);
    const nowMs = clock.nowMs();
    const regions = regionsOf(this.#options.regions());
    const { secretOf } = callers;
    const signer = verifyEc2Signature(request, { regions, secretOf, nowMs, signatureV2 });
    const known = await callers.principal(signer, `ec2 ${raw.remoteAddress}`);
    trace.principal = known.name;
    trace.region = signer.region;
    const { action, version } = this.#asked(request, trace);
    this.#slowDown(signer.accessKeyId, action);
    if (signer.service === STS_SERVICE) return this.#identity({ action, version, requestId, known, request });
    requireVersion(version);
    const perform = actionNamed(action);
    if (perform === undefined) {
      throw new CloudError('InvalidAction', `the action ${JSON.stringify(action)} is not known here`);
    }
    const params = Params.of(request.parameters);
    const dryRun = params.bool('DryRun') ?? false;
    const call = ec2Call({
      ...{ params, version, nowMs, requestId, dryRun, gateway, accounts: await accounts() },
      region: regions.find(signer.region),
      regions: endpoints(regions, request),
      principal: this.#inRegion(known, regions, signer.region),
    });
    const content = await perform(call);
    refuseUnread(params);
    // A change has said so itself; an action that only looks has looked, and was allowed to.
    if (dryRun) throw new CloudError('DryRunOperation', `${action} would have been allowed; DryRun was set`);
    return successAnswer(action, version, requestId, content);
  }

  #inRegion(known: Principal, regions: Regions, region: string): Principal {
    const projectId = projectInRegion(known.projectId, region, regions.first);
    return { ...known, projectId, ...(this.#options.ownZones ? { zones: regions.find(region).zones } : {}) };
  }

  /** After the signature, so that nobody is slowed down by what others send in their name. */
  #slowDown(accessKeyId: string, action: string): void {
    const { rateLimit, clock } = this.#options;
    const waitMs = rateLimit.take(accessKeyId, rateClassOf(action), clock.monotonicMs());
    if (waitMs === 0) return;
    throw new CloudError(
      'RequestLimitExceeded',
      `too many requests of access key ${accessKeyId}; wait ${Math.ceil(waitMs)} ms before the next ${action}`,
      { details: { [RETRY_AFTER]: Math.max(1, Math.ceil(waitMs / 1000)) } },
    );
  }

  #asked({ parameters }: Ec2Request, trace: Trace): { action: string; version: string } {
    const take = (name: string): string => {
      const value = parameters.get(name) ?? '';
      if (value === '')
        throw new CloudError('MissingParameter', `${name}: is needed`, { details: { parameter: name } });
      parameters.delete(name);
      return value;
    };
    const action = take('Action').slice(0, 128);
    trace.action = action;
    const version = take('Version');
    trace.version = version.slice(0, 32);
    return { action, version };
  }

  async #identity(asked: {
    readonly action: string;
    readonly version: string;
    readonly requestId: string;
    readonly known: Principal;
    readonly request: Ec2Request;
  }): Promise<Ec2Answer> {
    const { action, version, requestId, known, request } = asked;
    requireSts(action, version);
    refuseUnread(Params.of(request.parameters));
    const account = (await this.#options.accounts()).accountOf(known.projectId) ?? known.projectId;
    return queryAnswer(action, STS_NAMESPACE, requestId, callerIdentity(known, account, requestId));
  }

  #refuse(thrown: unknown, requestId: string, trace: Trace, raw: RawEc2Request, startedMs: number): Ec2Answer {
    const error = asCloudError(thrown);
    const fault = ec2Fault(error, requestId);
    const tookMs = this.#options.clock.monotonicMs() - startedMs;
    const line = { code: error.code, error: error.message, tookMs };
    if (fault.status === 500) {
      const stack = thrown instanceof Error ? thrown.stack : undefined;
      this.#options.logger.error('EC2 request failed', { requestId, ...trace, ...line, stack });
    } else if (fault.status === 503 && error.code !== 'RequestLimitExceeded') {
      this.#options.logger.warn('EC2 request not done', { requestId, ...trace, ...line });
    } else this.#log(requestId, trace, raw, line);
    const seconds = error.details?.[RETRY_AFTER];
    return faultAnswer(fault, requestId, typeof seconds === 'number' ? seconds : undefined);
  }

  #log(requestId: string, trace: Trace, raw: RawEc2Request, more: Record<string, unknown>): void {
    this.#options.logger.debug('EC2 request', { requestId, ...trace, from: raw.remoteAddress, ...more });
  }
}

function requireVersion(version: string): void {
  if (/^\d{4}-\d{2}-\d{2}$/.test(version) && version >= FIRST_VERSION && version <= LAST_VERSION) return;
  const given = JSON.stringify(version.slice(0, 32));
  throw new CloudError('NoSuchVersion', `Version: must be ${FIRST_VERSION} to ${LAST_VERSION}, not ${given}`);
}

const endpoints = ({ names }: Regions, { host }: Ec2Request): { name: string; endpoint: string }[] =>
  names.map((name) => ({ name, endpoint: host }));
