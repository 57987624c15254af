import type { ControllerContext } from '../controller-context.ts';
import type { JobInput, JobReport, Reconcilers } from './report.ts';

/** What a job is given. */
export interface JobTools {
  readonly cloud: ControllerContext;
  readonly reconcilers: Reconcilers;
  readonly input: JobInput;
  readonly principal: { readonly from: string };
  /** Only say what would be done. */
  readonly plan: boolean;
  /** Hosts that were down at the last run of `watch`. */
  readonly downHosts: readonly string[];
  /** The process is to end. */
  readonly signal: AbortSignal;
  /** The run's own operation, absent in a plan. */
  readonly operationId?: string;
}

export type Job = (tools: JobTools) => Promise<JobReport>;
