import type { OperationInput, OperationOutput, UnaryName } from '../../../messages/operations/index.ts';
import type { Params } from './params.ts';
import type { XmlTree } from './xml-tree.ts';

/** What an action is given: the parameters, who asks, and the way to the operations. */
export interface Ec2Call {
  readonly params: Params;
  /** As the request has it, for instance 2016-11-15; answers that differ by it look here. */
  readonly version: string;
  /** Of the signature's scope, and its zones. */
  readonly region: string;
  readonly zones: readonly string[];
  readonly projectId: string;
  /** All the regions that this endpoint serves, with the address of it that the client used. */
  readonly regions: readonly { readonly name: string; readonly endpoint: string }[];
  readonly nowMs: number;
  /** 12 digits, as owners are shown; the project's own id when there is no such project any more. */
  accountOf(projectId: string): string;
  /** The project of an account id; undefined when there is none. */
  projectOf(accountId: string): string | undefined;
  /** Carries an operation out as the caller, with the request's DryRun and ClientToken; its answer. */
  run<N extends UnaryName>(name: N, input: OperationInput<N>): Promise<OperationOutput<N>>;
}

/** One EC2 action: parameters -> operations -> what stands in `<ActionResponse>` behind the request id. It decides nothing of its own. */
export type Ec2Action = (call: Ec2Call) => Promise<XmlTree>;

/** Tables of actions, by EC2's names. */
export type Ec2Actions = Readonly<Record<string, Ec2Action>>;
