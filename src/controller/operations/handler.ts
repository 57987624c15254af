import { CloudError } from '../../base/errors.ts';
import type { ConsoleChannel } from '../../messages/console.ts';
import type {
  DuplexName,
  OperationName,
  OperationOutput,
  OperationParsed,
  StreamName,
  UnaryName,
} from '../../messages/operations/index.ts';
import type { ControllerContext } from '../controller-context.ts';
import type { Draft } from '../state/draft.ts';

/** Who asks. `from` says over what: `socket`, an address, `cron`. */
export interface Principal {
  /** As records and lists show it. */
  readonly name: string;
  /** In the directory; absent: the administrator of the machine. */
  readonly userName?: string;
  /** What the request was signed with. */
  readonly accessKeyId?: string;
  readonly projectId: string;
  /** Standings in the project: roles (global and its own), `manager`, `member`. */
  readonly roles: readonly string[];
  readonly from: string;
  /** Only what the project has is seen and used, whatever the roles (the EC2 API). */
  readonly ownProjectOnly?: boolean;
  /** Only instances of these zones are seen and made: a region of the EC2 API. Absent: of all. */
  readonly zones?: readonly string[];
}

/** All that comes with a request beside its input. JSON, since it crosses the bus. */
export interface CallMeta {
  readonly requestId: string;
  readonly principal: Principal;
  readonly clientToken?: string;
  readonly reason?: string;
  readonly dryRun?: boolean;
  /** The id that the operation is to have, if it is free. */
  readonly operationId?: string;
}

export interface ReadContext {
  readonly cloud: ControllerContext;
  readonly principal: Principal;
  readonly nowMs: number;
}

export interface ChangeContext extends ReadContext {
  readonly operationId: string;
}

/** What a change handler decided, beside what it wrote into the draft. */
export interface Plan<N extends OperationName> {
  readonly output: OperationOutput<N>;
  /** Ids of what the operation is about. */
  readonly targets: readonly string[];
  /** Those of them whose work goes on after the answer; empty: the operation is done with this transaction. */
  readonly pending?: readonly string[];
}

export type ReadHandler<N extends UnaryName> = (
  context: ReadContext,
  input: OperationParsed<N>,
) => OperationOutput<N> | Promise<OperationOutput<N>>;

export type StreamHandler<N extends StreamName> = (
  context: ReadContext,
  input: OperationParsed<N>,
  signal: AbortSignal,
) => AsyncIterable<OperationOutput<N>>;

/** Opens what is spoken over; the channel outlives the call. */
export type DuplexHandler<N extends DuplexName> = (
  context: ReadContext,
  input: OperationParsed<N>,
) => Promise<ConsoleChannel>;

/**
 * A change in up to three parts: `prepare` gathers what takes time (no state is written), `decide` is a function of what it reads through the draft and may run
 * several times, `after` goes on once it is durable (and must be safe to lose: a reconciler does the same).
 */
export interface ChangeHandler<N extends UnaryName, P = undefined> {
  prepare?(context: ReadContext, input: OperationParsed<N>): Promise<P>;
  decide(draft: Draft, input: OperationParsed<N>, context: ChangeContext, prepared: P): Plan<N>;
  after?(context: ChangeContext, input: OperationParsed<N>, plan: Plan<N>, prepared: P): Promise<void>;
  /** Brings an answer up to date: right after the change, and the stored one of a repeated token. */
  replay?(context: ReadContext, answer: OperationOutput<N>): OperationOutput<N> | Promise<OperationOutput<N>>;
  /** `decide` reads ranges that must hold, so it is given committed state alone. */
  readonly settled?: boolean;
}

export function isAdmin(principal: Principal): boolean {
  return principal.roles.includes('cloudadmin');
}

/** A resource of another project does not exist, for who may not see it. */
export function mayUse(principal: Principal, projectId: string): boolean {
  return principal.projectId === projectId || (isAdmin(principal) && principal.ownProjectOnly !== true);
}

/** The same for an instance, which is in a zone. */
export function mayUseInstance(
  principal: Principal,
  { projectId, zone }: { readonly projectId: string; readonly zone: string },
): boolean {
  return mayUse(principal, projectId) && (principal.zones?.includes(zone) ?? true);
}

/** InvalidParameterValue that names the parameter; the CLI puts its flag in the name's place. */
export function badParameter(parameter: string, message: string): CloudError {
  return new CloudError('InvalidParameterValue', `${parameter}: ${message}`, { details: { parameter } });
}
