import type { Clock } from '../../../base/clock.ts';
import { asCloudError, CloudError } from '../../../base/errors.ts';
import type { Logger } from '../../../base/logger.ts';
import type { Random } from '../../../base/random.ts';
import { MIB } from '../../../base/units.ts';
import type { RegionZones } from '../../../domain/project-region.ts';
import type { BucketRecord } from '../../../domain/s3/records.ts';
import type { Metrics } from '../../../ports/metrics.ts';
import type { ObjectStore } from '../../../ports/object-store.ts';
import type { ObjectKeeper } from '../../objects/object-keeper.ts';
import type { Principal } from '../../operations/handler.ts';
import type { Accounts } from '../../users/directory-memo.ts';
import type { Ec2Callers, NamedKey } from '../ec2/ec2-principal.ts';
import { regionsOf } from '../ec2/ec2-regions.ts';
import type { BodyPace, RawBody } from './body-source.ts';
import { conditionsOf, formConditionsOf, ParsedPolicies, requireAccess, type AccessParts } from './s3-access.ts';
import type { BucketCall, S3Action, S3Answer, S3Call, S3Caller } from './s3-action.ts';
import { bodyForBucket, s3Body, TextBudget } from './s3-body.ts';
import { corsHeaders, preflightAnswer } from './s3-cors.ts';
import { s3FaultAnswer } from './s3-error.ts';
import { verifyForm } from './s3-form-signer.ts';
import type { S3Presigning } from './presigning.ts';
import { ReceivedSegments } from './received-segments.ts';
import { headerOf, headersOf, readS3Request, type S3Head, type S3Request } from './s3-request.ts';
import { routeS3 } from './s3-router.ts';
import { verifyS3Signature, type S3SignatureOptions, type S3Signer } from './s3-signature.ts';

export interface S3EdgeOptions {
  readonly store: ObjectStore;
  /** Absent: nobody looks after the objects here. */
  readonly keeper?: ObjectKeeper | undefined;
  readonly actions: readonly S3Action[];
  readonly callers: Ec2Callers;
  /** Whose account is whose, now. Errors: 'Unavailable'. */
  readonly accounts: () => Promise<Accounts>;
  /** At least one; the first is that of requests which name none. */
  readonly regions: () => readonly RegionZones[];
  /** Buckets are named by hosts below these; lower case. */
  readonly domains: readonly string[];
  readonly signatureV2: boolean;
  readonly presigning?: S3Presigning;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly metrics?: Pick<Metrics, 'time'>;
  readonly pace?: BodyPace;
}

export interface S3Incoming extends S3Head {
  readonly body: RawBody;
}

/** Who asks, where that is known by another way than a signature of S3: over the admin API, or in this process. */
export interface KnownCaller {
  /** The administrator of the machine (no `userName`) is refused nothing for want of rights. */
  readonly principal: Principal;
  /** Lower-case hex that the body must have. */
  readonly sha256?: string;
  /** In place of that of strangers. */
  readonly pace?: BodyPace;
}

/** What takes S3's requests of callers who are known already. */
export type S3Door = Pick<S3Edge, 'answerAs'>;

/** An answer, and whom to tell how it went. */
export interface S3Outgoing {
  readonly answer: S3Answer;
  /** Once, when the last byte is out or can't go out any more. */
  readonly sent: (bytes: number, isWhole: boolean) => void;
}

/** Of all documents that are held at a time: of who signs, and of who does not. Strangers who are slow take nothing from the others. */
const TEXT_BUDGET_BYTES = { key: 64 * MIB, anonymous: 16 * MIB } as const;

/** What the access log says of a request, filled as far as it came. */
interface Trace {
  action?: string;
  bucket?: string;
  key?: string;
  principal?: string;
  code?: string;
  error?: string;
}

/** A call without who makes it. */
type CallBase = Omit<S3Call, 'caller' | 'accountIdOf' | 'projectId' | 'require'>;

interface Ids {
  readonly requestId: string;
  readonly hostId: string;
}

/** A request on its way through. */
interface Asked {
  readonly request: S3Request;
  readonly incoming: S3Incoming;
  readonly known: KnownCaller | undefined;
  readonly ids: Ids;
  readonly trace: Trace;
}

function knownSigner({ sha256 }: KnownCaller, { regions }: S3SignatureOptions): S3Signer {
  const payload = sha256 === undefined ? ({ kind: 'unsigned' } as const) : ({ kind: 'sha256', hex: sha256 } as const);
  return { key: undefined, region: regions.first, payload };
}

function knownCaller({ principal }: KnownCaller, trace: Trace): S3Caller {
  trace.principal = principal.name;
  return { kind: 'key', principal, ...(principal.userName === undefined ? { mayAll: true } : {}) };
}

/** A header's text as bytes in the way that node sends them; a header can't hold everything. */
function wireHeaders(headers: S3Answer['headers']): Record<string, string> {
  const out: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers)) {
    if (/[^\t\u0020-\u007e\u0080-\u{10ffff}]/u.test(value)) {
      throw new CloudError(
        'InvalidArgument',
        `the answer's header ${name} can't hold what it is asked to: a line break or control character`,
      );
    }
    out[name] = /[\u0080-\u{10ffff}]/u.test(value) ? Buffer.from(value, 'utf8').toString('latin1') : value;
  }
  return out;
}

/** S3, without the sockets: a request in, an answer out, whatever the request is. */
export class S3Edge {
  readonly #options: S3EdgeOptions;
  readonly #policies = new ParsedPolicies();
  readonly #budgets = {
    key: new TextBudget(TEXT_BUDGET_BYTES.key),
    anonymous: new TextBudget(TEXT_BUDGET_BYTES.anonymous),
  };

  constructor(options: S3EdgeOptions) {
    this.#options = options;
  }

  /** Never rejects. */
  answer(incoming: S3Incoming): Promise<S3Outgoing> {
    return this.#answerFor(incoming, undefined);
  }

  /** As `answer`, for a caller who is known: no signature is looked for. Buckets are named by paths alone. */
  answerAs(known: KnownCaller, incoming: S3Incoming): Promise<S3Outgoing> {
    return this.#answerFor(incoming, known);
  }

  async #answerFor(incoming: S3Incoming, known: KnownCaller | undefined): Promise<S3Outgoing> {
    const ids = this.#newIds();
    const startedMs = this.#options.clock.monotonicMs();
    const trace: Trace = {};
    let answer: S3Answer;
    try {
      const request = readS3Request(incoming, known === undefined ? this.#options.domains : []);
      answer = await this.#answerRead({ request, incoming, known, ids, trace });
    } catch (thrown) {
      answer = this.#refuse(thrown, incoming, ids, trace);
    }
    return this.#outgoing(answer, incoming, ids, trace, startedMs);
  }

  /** The answer to what is no request at all, or one too many. */
  refusal(error: CloudError): S3Outgoing {
    const ids = this.#newIds();
    this.#options.logger.debug('S3 request refused', { ...ids, code: error.code, error: error.message });
    const answer = s3FaultAnswer(error, { ...ids, resource: undefined });
    return { answer: this.#withCommon(answer, ids), sent: () => undefined };
  }

  #newIds(): Ids {
    const { random } = this.#options;
    return {
      requestId: random.bytes(8).toString('hex').toUpperCase(),
      hostId: random.bytes(16).toString('base64'),
    };
  }

  async #answerRead(asked: Asked): Promise<S3Answer> {
    const { request, incoming, ids, trace } = asked;
    const { bucketName, key } = request;
    Object.assign(trace, bucketName === '' ? {} : { bucket: bucketName }, key === '' ? {} : { key });
    const origin = headerOf(request, 'origin');
    let answer: S3Answer;
    try {
      answer = await (request.method === 'OPTIONS' ? this.#preflight(request, trace) : this.#carryOut(asked));
      answer = { ...answer, headers: wireHeaders(answer.headers) };
    } catch (thrown) {
      answer = this.#refuse(thrown, incoming, ids, trace);
      answer = { ...answer, headers: wireHeaders(answer.headers) };
    }
    if (origin === undefined || bucketName === '') return answer;
    const { cors } = await this.#options.store.bucket(bucketName).catch(() => ({ cors: [] }));
    const more = wireHeaders(corsHeaders(cors, { origin, method: request.method, headers: undefined }));
    return { ...answer, headers: { ...answer.headers, ...more } };
  }

  async #preflight(request: S3Request, trace: Trace): Promise<S3Answer> {
    trace.action = 'Preflight';
    const { bucketName } = request;
    const rules = bucketName === '' ? [] : (await this.#options.store.bucket(bucketName)).cors;
    return preflightAnswer(rules, (name) => headerOf(request, name));
  }

  async #carryOut({ request, incoming, known, ids, trace }: Asked): Promise<S3Answer> {
    const { actions, callers, clock, store, signatureV2 } = this.#options;
    const signing: S3SignatureOptions = {
      ...{ regions: regionsOf(this.#options.regions()), secretOf: (id) => callers.secretOf(id) },
      ...{ nowMs: clock.nowMs(), signatureV2 },
    };
    const signer = known === undefined ? verifyS3Signature(request, signing) : knownSigner(known, signing);
    const caller = known === undefined ? await this.#callerOf(signer.key, request, trace) : knownCaller(known, trace);
    const { method, bucketName, key, query } = request;
    const hasHeader = (name: string): boolean => headerOf(request, name) !== undefined;
    const action = routeS3(actions, { method, bucketName, key, query, hasHeader });
    trace.action = action.name;
    const received = new ReceivedSegments(store);
    const body = s3Body({
      ...{
        request,
        payload: signer.payload,
        raw: incoming.body,
        store: received,
        clock,
        budget: this.#budgets[caller.kind],
      },
      ...{ pace: known?.pace ?? this.#options.pace },
    });
    const base = this.#callBase(request, ids, { region: signer.region, nowMs: signing.nowMs, body });
    const accounts = await this.#options.accounts();
    const callAs = (who: S3Caller, context = conditionsOf(request)): S3Call =>
      this.#callAs(base, who, context, accounts);
    if (action.level === 'service' || action.level === 'new-bucket') return action.perform(callAs(caller));
    const bucket = await store.bucket(bucketName);
    const bucketCallAs = (...as: Parameters<typeof callAs>): BucketCall => ({
      ...callAs(...as),
      bucket,
      body: bodyForBucket(base.body, store, bucket),
      presigning: this.#options.presigning,
      asKey: async (named) => bucketCallAs(await this.#callerOf(named, request, {})),
      asFormSigner: async (fields) => {
        const who = await this.#callerOf(verifyForm(fields, signing), request, trace);
        return bucketCallAs(who, formConditionsOf(request, fields));
      },
    });
    const call = bucketCallAs(caller);
    if (action.permission !== undefined) {
      await call.require(
        action.permission,
        bucket,
        key === '' ? undefined : key,
        key === '' ? undefined : query.get('versionId'),
      );
    }
    return received.droppedUnless(() => action.perform(call));
  }

  async #callerOf(key: NamedKey | undefined, { remoteAddress }: S3Request, trace: Trace): Promise<S3Caller> {
    if (key === undefined) return { kind: 'anonymous' };
    const principal = await this.#options.callers.principal(key, `s3 ${remoteAddress}`);
    trace.principal = principal.name;
    return { kind: 'key', principal };
  }

  #callBase(request: S3Request, { requestId }: Ids, more: Pick<S3Call, 'region' | 'nowMs' | 'body'>): CallBase {
    const { method, endpoint, bucketName, key, query } = request;
    const { accounts, random, store, keeper } = this.#options;
    return {
      ...more,
      ...{ requestId, random, store, keeper, method, endpoint, bucketName, key, query },
      accountIdNow: async (projectId) => (await accounts()).accountOf(projectId),
      header: (name) => headerOf(request, name),
      headersOf: (prefix) => headersOf(request, prefix),
    };
  }

  #callAs(base: CallBase, caller: S3Caller, context: AccessParts['context'], accounts: Accounts): S3Call {
    const accountIdOf = (projectId: string): string | undefined => accounts.accountOf(projectId);
    const parts = { caller, accountIdOf, store: base.store, policies: this.#policies, context };
    return {
      ...base,
      caller,
      accountIdOf,
      projectId: () => {
        if (caller.kind === 'key') return caller.principal.projectId;
        throw new CloudError(
          'AccessDenied',
          'a request without a signature has no project; sign it with an access key',
        );
      },
      require: (permission, bucket: BucketRecord, key, versionId) =>
        requireAccess(parts, { permission, bucket, key, versionId }),
    };
  }

  #refuse(thrown: unknown, { url }: S3Head, ids: Ids, trace: Trace): S3Answer {
    const error = asCloudError(thrown);
    const answer = s3FaultAnswer(error, { ...ids, resource: url.split('?')[0] });
    trace.code = error.code;
    if (answer.status >= 400) trace.error = error.message;
    if (answer.status === 500) {
      const stack = thrown instanceof Error ? thrown.stack : undefined;
      this.#options.logger.error('S3 request failed', { requestId: ids.requestId, ...trace, stack });
    }
    return answer;
  }

  #outgoing(answer: S3Answer, head: S3Head, ids: Ids, trace: Trace, startedMs: number): S3Outgoing {
    const { clock, logger, metrics } = this.#options;
    const { method, remoteAddress } = head;
    const { status } = answer;
    return {
      answer: this.#withCommon(answer, ids),
      sent: (bytes, isWhole) => {
        const tookMs = Math.round((clock.monotonicMs() - startedMs) * 10) / 10;
        metrics?.time('s3Request', tookMs, { action: trace.action ?? 'none', code: trace.code ?? 'ok' });
        const line = { requestId: ids.requestId, method, from: remoteAddress, ...trace, status, bytes, tookMs };
        logger.info('S3 access', isWhole ? line : { ...line, isWhole });
      },
    };
  }

  #withCommon(answer: S3Answer, { requestId, hostId }: Ids): S3Answer {
    const headers = { 'x-amz-request-id': requestId, 'x-amz-id-2': hostId, server: 'novactl', ...answer.headers };
    return { ...answer, headers };
  }
}
