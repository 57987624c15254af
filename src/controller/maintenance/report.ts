import type { OperationParsed } from '../../messages/operations/index.ts';

/** What maintenance needs of the reconcilers. */
export interface Reconcilers {
  /** Looks at every instance. */
  sweep(): void;
  /** Instances that wait for a look. */
  readonly depth: number;
}

export type JobInput = OperationParsed<'PlanMaintenance'>;

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

export function emptyReport(): JobReport {
  return { changes: [], findings: [], notes: [] };
}
