import type { OperationParsed } from '../../messages/operations/index.ts';
import type { ControllerContext } from '../controller-context.ts';
import type { Principal } from '../operations/handler.ts';

/** What maintenance needs of the reconcilers. */
export interface Reconcilers {
  /** Looks at every instance. */
  sweep(): void;
  /** Instances that wait for a look. */
  readonly depth: number;
}

export type JobInput = OperationParsed<'PlanMaintenance'>;

/** What a job is given. */
export interface JobTools {
  readonly cloud: ControllerContext;
  readonly reconcilers: Reconcilers;
  readonly input: JobInput;
  readonly principal: Principal;
  /** Only say what would be done. */
  readonly plan: boolean;
  /** Hosts that were down at the last run of `watch`. */
  readonly downHosts: readonly string[];
  /** The process is to end. */
  readonly signal: AbortSignal;
  /** The run's own operation, absent in a plan. */
  readonly operationId?: string;
}

export interface JobReport {
  /** What was (or would be) put right. */
  readonly changes: string[];
  /** What an administrator should look at. */
  readonly findings: string[];
  /** What it did that is no repair. */
  readonly notes: string[];
  /** For the next run of `watch`. */
  readonly downHosts?: readonly string[];
}

export type Job = (tools: JobTools) => Promise<JobReport>;

export function emptyReport(): JobReport {
  return { changes: [], findings: [], notes: [] };
}
