import type { DuplexName, OPERATIONS, OperationName, StreamName, UnaryName } from '../../messages/operations/index.ts';
import {
  allocateAddress,
  associateAddress,
  describeAddresses,
  disassociateAddress,
  releaseAddress,
} from '../networks/address-operations.ts';
import { attachVolume, detachVolume } from '../volumes/attach-volume.ts';
import { createVolume, deleteVolume } from '../volumes/create-volume.ts';
import { describeVolumes, describeVolumesModifications } from '../volumes/describe-volumes.ts';
import { modifyVolume, modifyVolumeAttribute } from '../volumes/modify-volume.ts';
import {
  copySnapshot,
  createSnapshot,
  createSnapshots,
  deleteSnapshot,
  describeSnapshots,
  modifySnapshotAttribute,
} from '../volumes/snapshots.ts';
import {
  createAccessKey,
  deleteAccessKey,
  describeAccessKeys,
  rotateAccessKey,
  updateAccessKey,
} from './access-keys.ts';
import { describeAccountAttributes } from './account.ts';
import { copyImage, createImage, modifyImageAttribute } from './change-images.ts';
import { disableImageDeprecation, enableImageDeprecation } from './deprecate-images.ts';
import { rebootInstances, startInstances, stopInstances, terminateInstances } from './change-instances.ts';
import { describeCloud, describeInstanceTypes } from './cloud.ts';
import { getConsoleOutput } from './console.ts';
import { describeImages } from './describe-images.ts';
import { describeInstances } from './describe-instances.ts';
import { explainInstance, explainPlacement } from './explain.ts';
import type { ChangeHandler, DuplexHandler, ReadHandler, StreamHandler } from './handler.ts';
import { setHostKey, setHostState } from './host-settings.ts';
import { addHost, describeHosts } from './hosts.ts';
import { describeImageCache, evictImageCache, warmImageCache } from './image-cache.ts';
import { deregisterImage, registerImage } from './images.ts';
import { describeInstanceAttribute, modifyInstanceAttribute } from './instance-attributes.ts';
import { describeInstanceStatus } from './instance-status.ts';
import { createKeyPair, deleteKeyPair, describeKeyPairs, importKeyPair } from './keys.ts';
import { checkHost, getCloudKey, getHostKey } from './look-at-host.ts';
import {
  describeMaintenance,
  pauseMaintenance,
  planMaintenance,
  resumeMaintenance,
  startMaintenance,
} from './maintenance.ts';
import { rotateMasterKey } from './master-key.ts';
import { openConsole } from './open-console.ts';
import { describeOperations, watchOperation } from './operations.ts';
import { describeQuotas, setQuota } from './quotas.ts';
import { removeHost } from './remove-host.ts';
import { planInstances, runInstances } from './run-instances.ts';
import { describeServices, disableService, drainService, enableService } from './services.ts';
import { adoptState, describeStateDifferences } from './state.ts';
import { createTags, deleteTags, describeTags } from './tags.ts';
import { createUserCertificate, deleteUserCertificate, describeUserCertificates } from './user-certificates.ts';
import { watchCloud } from './watch-cloud.ts';
import { watchConsole } from './watch-console.ts';
import { watchInstances } from './watch-instances.ts';
import {
  createSecurityGroup,
  deleteSecurityGroup,
  describeSecurityGroupRules,
  describeSecurityGroups,
} from './security-groups.ts';
import {
  authorizeSecurityGroupEgress,
  authorizeSecurityGroupIngress,
  modifySecurityGroupRules,
  revokeSecurityGroupEgress,
  revokeSecurityGroupIngress,
  updateSecurityGroupRuleDescriptionsEgress,
  updateSecurityGroupRuleDescriptionsIngress,
} from './security-group-rules.ts';
import {
  describeAbsent,
  describeDhcpOptions,
  describeInternetGateways,
  describeNetworkAcls,
  describeNetworkInterfaces,
  describeRouteTables,
  describeSubnets,
  describeVpcs,
} from './describe-networks.ts';
import { createDefaultVpc, createVpc, deleteVpc, modifySubnetAttribute, modifyVpcAttribute } from './vpcs.ts';
import { createSubnet, deleteSubnet } from './subnets.ts';
import {
  attachInternetGateway,
  createInternetGateway,
  deleteInternetGateway,
  detachInternetGateway,
} from './internet-gateways.ts';
import {
  associateRouteTable,
  createRoute,
  createRouteTable,
  deleteRoute,
  deleteRouteTable,
  disassociateRouteTable,
  replaceRoute,
  replaceRouteTableAssociation,
} from './route-tables.ts';
import { explainAccess, getCallerIdentity } from './explain-access.ts';
import {
  addProjectMember,
  createProject,
  deleteProject,
  describeProjects,
  modifyProject,
  removeProjectMember,
} from './projects.ts';
import { addRole, checkRole, describeRoles, removeRole } from './roles.ts';
import { createUser, deleteUser, describeUsers, modifyUser } from './users.ts';

/** Operation -> handler. The types make sure that each operation of messages/operations has exactly one, of the right kind. */
type Changing = { [N in OperationName]: (typeof OPERATIONS)[N]['changes'] extends true ? N : never }[OperationName];
export type ChangeName = Changing & UnaryName;
export type ReadName = Exclude<UnaryName, ChangeName>;

export const READS: { readonly [N in ReadName]: ReadHandler<N> } = {
  CheckRole: checkRole,
  DescribeAbsent: describeAbsent,
  DescribeAccessKeys: describeAccessKeys,
  CheckHost: checkHost,
  DescribeAddresses: describeAddresses,
  DescribeAccountAttributes: describeAccountAttributes,
  DescribeCloud: describeCloud,
  DescribeDhcpOptions: describeDhcpOptions,
  DescribeHosts: describeHosts,
  DescribeImageCache: describeImageCache,
  DescribeImages: describeImages,
  DescribeInstanceAttribute: describeInstanceAttribute,
  DescribeInstanceStatus: describeInstanceStatus,
  DescribeInstanceTypes: describeInstanceTypes,
  DescribeInstances: describeInstances,
  DescribeInternetGateways: describeInternetGateways,
  DescribeKeyPairs: describeKeyPairs,
  DescribeMaintenance: describeMaintenance,
  DescribeNetworkAcls: describeNetworkAcls,
  DescribeNetworkInterfaces: describeNetworkInterfaces,
  DescribeOperations: describeOperations,
  DescribeProjects: describeProjects,
  DescribeQuotas: describeQuotas,
  DescribeRoles: describeRoles,
  DescribeRouteTables: describeRouteTables,
  DescribeSecurityGroupRules: describeSecurityGroupRules,
  DescribeSecurityGroups: describeSecurityGroups,
  DescribeServices: describeServices,
  DescribeSnapshots: describeSnapshots,
  DescribeStateDifferences: describeStateDifferences,
  DescribeSubnets: describeSubnets,
  DescribeUserCertificates: describeUserCertificates,
  DescribeUsers: describeUsers,
  DescribeVolumes: describeVolumes,
  DescribeVolumesModifications: describeVolumesModifications,
  DescribeVpcs: describeVpcs,
  DescribeTags: describeTags,
  ExplainAccess: explainAccess,
  ExplainInstance: explainInstance,
  ExplainPlacement: explainPlacement,
  GetCallerIdentity: getCallerIdentity,
  GetCloudKey: getCloudKey,
  GetConsoleOutput: getConsoleOutput,
  GetHostKey: getHostKey,
  PlanInstances: planInstances,
  PlanMaintenance: planMaintenance,
};

export const CHANGES: { readonly [N in ChangeName]: ChangeHandler<N, unknown> } = {
  AddHost: addHost,
  AddProjectMember: addProjectMember,
  AddRole: addRole,
  AdoptState: adoptState,
  AllocateAddress: allocateAddress,
  AssociateAddress: associateAddress,
  AssociateRouteTable: associateRouteTable,
  AttachInternetGateway: attachInternetGateway,
  AttachVolume: attachVolume,
  AuthorizeSecurityGroupEgress: authorizeSecurityGroupEgress,
  AuthorizeSecurityGroupIngress: authorizeSecurityGroupIngress,
  CopySnapshot: copySnapshot,
  CopyImage: copyImage,
  CreateAccessKey: createAccessKey,
  CreateDefaultVpc: createDefaultVpc,
  CreateInternetGateway: createInternetGateway,
  CreateImage: createImage,
  CreateKeyPair: createKeyPair,
  CreateProject: createProject,
  CreateRoute: createRoute,
  CreateRouteTable: createRouteTable,
  CreateSecurityGroup: createSecurityGroup,
  CreateSnapshot: createSnapshot,
  CreateSnapshots: createSnapshots,
  CreateSubnet: createSubnet,
  CreateUser: createUser,
  CreateUserCertificate: createUserCertificate,
  CreateVolume: createVolume,
  CreateVpc: createVpc,
  CreateTags: createTags,
  DeleteAccessKey: deleteAccessKey,
  DeleteInternetGateway: deleteInternetGateway,
  DeleteKeyPair: deleteKeyPair,
  DeleteProject: deleteProject,
  DeleteRoute: deleteRoute,
  DeleteRouteTable: deleteRouteTable,
  DeleteSecurityGroup: deleteSecurityGroup,
  DeleteSnapshot: deleteSnapshot,
  DeleteSubnet: deleteSubnet,
  DeleteUser: deleteUser,
  DeleteUserCertificate: deleteUserCertificate,
  DeleteVolume: deleteVolume,
  DeleteVpc: deleteVpc,
  DeleteTags: deleteTags,
  DeregisterImage: deregisterImage,
  DetachInternetGateway: detachInternetGateway,
  DetachVolume: detachVolume,
  DisableImageDeprecation: disableImageDeprecation,
  DisableService: disableService,
  DisassociateAddress: disassociateAddress,
  DisassociateRouteTable: disassociateRouteTable,
  DrainService: drainService,
  EnableImageDeprecation: enableImageDeprecation,
  EnableService: enableService,
  EvictImageCache: evictImageCache,
  ImportKeyPair: importKeyPair,
  ModifyProject: modifyProject,
  ModifySecurityGroupRules: modifySecurityGroupRules,
  ModifySnapshotAttribute: modifySnapshotAttribute,
  ModifySubnetAttribute: modifySubnetAttribute,
  ModifyUser: modifyUser,
  ModifyVolume: modifyVolume,
  ModifyVolumeAttribute: modifyVolumeAttribute,
  ModifyVpcAttribute: modifyVpcAttribute,
  ModifyImageAttribute: modifyImageAttribute,
  ModifyInstanceAttribute: modifyInstanceAttribute,
  PauseMaintenance: pauseMaintenance,
  RebootInstances: rebootInstances,
  RegisterImage: registerImage,
  ReleaseAddress: releaseAddress,
  RemoveHost: removeHost,
  RemoveProjectMember: removeProjectMember,
  RemoveRole: removeRole,
  ReplaceRoute: replaceRoute,
  ReplaceRouteTableAssociation: replaceRouteTableAssociation,
  ResumeMaintenance: resumeMaintenance,
  RevokeSecurityGroupEgress: revokeSecurityGroupEgress,
  RevokeSecurityGroupIngress: revokeSecurityGroupIngress,
  RotateAccessKey: rotateAccessKey,
  RotateMasterKey: rotateMasterKey,
  RunInstances: runInstances,
  SetHostKey: setHostKey,
  SetHostState: setHostState,
  SetQuota: setQuota,
  StartInstances: startInstances,
  StartMaintenance: startMaintenance,
  StopInstances: stopInstances,
  TerminateInstances: terminateInstances,
  UpdateAccessKey: updateAccessKey,
  UpdateSecurityGroupRuleDescriptionsEgress: updateSecurityGroupRuleDescriptionsEgress,
  UpdateSecurityGroupRuleDescriptionsIngress: updateSecurityGroupRuleDescriptionsIngress,
  WarmImageCache: warmImageCache,
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
