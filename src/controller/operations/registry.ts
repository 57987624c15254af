import type { DuplexName, OPERATIONS, OperationName, StreamName, UnaryName } from '../../messages/operations/index.ts';
import { createAccessKey, deleteAccessKey, describeAccessKeys } from './access-keys.ts';
import { rebootInstances, startInstances, stopInstances, terminateInstances } from './change-instances.ts';
import { describeCloud, describeInstanceTypes } from './cloud.ts';
import { getConsoleOutput } from './console.ts';
import { describeInstances } from './describe-instances.ts';
import { explainInstance, explainPlacement } from './explain.ts';
import type { ChangeHandler, DuplexHandler, ReadHandler, StreamHandler } from './handler.ts';
import { setHostKey, setHostState } from './host-settings.ts';
import { addHost, describeHosts } from './hosts.ts';
import { deregisterImage, describeImages, registerImage } from './images.ts';
import { createKeyPair, deleteKeyPair, describeKeyPairs, importKeyPair } from './keys.ts';
import { checkHost, getCloudKey, getHostKey } from './look-at-host.ts';
import {
  describeMaintenance,
  pauseMaintenance,
  planMaintenance,
  resumeMaintenance,
  startMaintenance,
} from './maintenance.ts';
import { openConsole } from './open-console.ts';
import { describeOperations, watchOperation } from './operations.ts';
import { describeQuotas, setQuota } from './quotas.ts';
import { removeHost } from './remove-host.ts';
import { planInstances, runInstances } from './run-instances.ts';
import { describeServices, disableService, drainService, enableService } from './services.ts';
import { adoptState, describeStateDifferences } from './state.ts';
import { watchCloud } from './watch-cloud.ts';
import { watchConsole } from './watch-console.ts';
import { watchInstances } from './watch-instances.ts';

/** Operation -> handler. The types make sure that each operation of messages/operations has exactly one, of the right kind. */
type Changing = { [N in OperationName]: (typeof OPERATIONS)[N]['changes'] extends true ? N : never }[OperationName];
export type ChangeName = Changing & UnaryName;
export type ReadName = Exclude<UnaryName, ChangeName>;

export const READS: { readonly [N in ReadName]: ReadHandler<N> } = {
  DescribeAccessKeys: describeAccessKeys,
  CheckHost: checkHost,
  DescribeCloud: describeCloud,
  DescribeHosts: describeHosts,
  DescribeImages: describeImages,
  DescribeInstanceTypes: describeInstanceTypes,
  DescribeInstances: describeInstances,
  DescribeKeyPairs: describeKeyPairs,
  DescribeMaintenance: describeMaintenance,
  DescribeOperations: describeOperations,
  DescribeQuotas: describeQuotas,
  DescribeServices: describeServices,
  DescribeStateDifferences: describeStateDifferences,
  ExplainInstance: explainInstance,
  ExplainPlacement: explainPlacement,
  GetCloudKey: getCloudKey,
  GetConsoleOutput: getConsoleOutput,
  GetHostKey: getHostKey,
  PlanInstances: planInstances,
  PlanMaintenance: planMaintenance,
};

export const CHANGES: { readonly [N in ChangeName]: ChangeHandler<N, unknown> } = {
  AddHost: addHost,
  AdoptState: adoptState,
  CreateAccessKey: createAccessKey,
  CreateKeyPair: createKeyPair,
  DeleteAccessKey: deleteAccessKey,
  DeleteKeyPair: deleteKeyPair,
  DeregisterImage: deregisterImage,
  DisableService: disableService,
  DrainService: drainService,
  EnableService: enableService,
  ImportKeyPair: importKeyPair,
  PauseMaintenance: pauseMaintenance,
  RebootInstances: rebootInstances,
  RegisterImage: registerImage,
  RemoveHost: removeHost,
  ResumeMaintenance: resumeMaintenance,
  RunInstances: runInstances,
  SetHostKey: setHostKey,
  SetHostState: setHostState,
  SetQuota: setQuota,
  StartInstances: startInstances,
  StartMaintenance: startMaintenance,
  StopInstances: stopInstances,
  TerminateInstances: terminateInstances,
};

export const STREAMS: { readonly [N in StreamName]: StreamHandler<N> } = {
  WatchCloud: watchCloud,
  WatchConsole: watchConsole,
  WatchInstances: watchInstances,
  WatchOperation: watchOperation,
};

export const DUPLEXES: { readonly [N in DuplexName]: DuplexHandler<N> } = {
  OpenConsole: openConsole,
};
