import type { z } from 'zod';
import { CreateAccessKey, DeleteAccessKey, DescribeAccessKeys } from './access-keys.ts';
import { DescribeAccountAttributes } from './account.ts';
import { DescribeCloud, DescribeInstanceTypes, DescribeOperations, WatchCloud, WatchOperation } from './cloud.ts';
import {
  AddHost,
  CheckHost,
  DescribeHosts,
  GetCloudKey,
  GetHostKey,
  RemoveHost,
  SetHostKey,
  SetHostState,
} from './hosts.ts';
import { OpenConsole, WatchConsole } from './consoles.ts';
import {
  CopyImage,
  CreateImage,
  DeregisterImage,
  DescribeImages,
  ModifyImageAttribute,
  RegisterImage,
} from './images.ts';
import {
  DescribeInstanceAttribute,
  DescribeInstances,
  DescribeInstanceStatus,
  ExplainInstance,
  ExplainPlacement,
  GetConsoleOutput,
  ModifyInstanceAttribute,
  PlanInstances,
  RebootInstances,
  RunInstances,
  StartInstances,
  StopInstances,
  TerminateInstances,
  WatchInstances,
} from './instances.ts';
import { CreateKeyPair, DeleteKeyPair, DescribeKeyPairs, ImportKeyPair } from './keys.ts';
import {
  DescribeMaintenance,
  PauseMaintenance,
  PlanMaintenance,
  ResumeMaintenance,
  StartMaintenance,
} from './maintenance.ts';
import { DescribeQuotas, SetQuota } from './quotas.ts';
import { AdoptState, DescribeStateDifferences } from './state.ts';
import { CreateTags, DeleteTags, DescribeTags } from './tags.ts';
import { DescribeServices, DisableService, DrainService, EnableService } from './services.ts';

/** Every operation there is. An action that is not here is answered with InvalidAction. */
export const OPERATIONS = {
  AddHost,
  AdoptState,
  CheckHost,
  CopyImage,
  CreateAccessKey,
  CreateImage,
  CreateKeyPair,
  CreateTags,
  DeleteAccessKey,
  DeleteKeyPair,
  DeleteTags,
  DeregisterImage,
  DescribeAccessKeys,
  DescribeAccountAttributes,
  DescribeCloud,
  DescribeHosts,
  DescribeImages,
  DescribeInstanceAttribute,
  DescribeInstanceStatus,
  DescribeInstanceTypes,
  DescribeInstances,
  DescribeKeyPairs,
  DescribeMaintenance,
  DescribeOperations,
  DescribeQuotas,
  DescribeServices,
  DescribeStateDifferences,
  DescribeTags,
  DisableService,
  DrainService,
  EnableService,
  ExplainInstance,
  ExplainPlacement,
  GetCloudKey,
  GetConsoleOutput,
  GetHostKey,
  ImportKeyPair,
  ModifyImageAttribute,
  ModifyInstanceAttribute,
  OpenConsole,
  PauseMaintenance,
  PlanInstances,
  PlanMaintenance,
  RebootInstances,
  RegisterImage,
  RemoveHost,
  ResumeMaintenance,
  RunInstances,
  SetHostKey,
  SetHostState,
  SetQuota,
  StartInstances,
  StartMaintenance,
  StopInstances,
  TerminateInstances,
  WatchCloud,
  WatchConsole,
  WatchInstances,
  WatchOperation,
} as const;

export type OperationName = keyof typeof OPERATIONS;
/** What a caller writes (defaults may be left out). */
export type OperationInput<N extends OperationName> = z.input<(typeof OPERATIONS)[N]['input']>;
/** What a handler gets (defaults filled). */
export type OperationParsed<N extends OperationName> = z.output<(typeof OPERATIONS)[N]['input']>;
export type OperationOutput<N extends OperationName> = z.output<(typeof OPERATIONS)[N]['output']>;

export type UnaryName = {
  [N in OperationName]: (typeof OPERATIONS)[N]['kind'] extends 'unary' ? N : never;
}[OperationName];
export type StreamName = {
  [N in OperationName]: (typeof OPERATIONS)[N]['kind'] extends 'stream' ? N : never;
}[OperationName];
export type DuplexName = Exclude<OperationName, UnaryName | StreamName>;
