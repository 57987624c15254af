/**
 * What must stand in the answers of each action in a cloud that is in use, and not be empty: `name`, or `name{what is in it}`, where a list's items
 * are left out of the path; `name{}`: must be there, and hold nothing. Answers of the same action are taken together.
 */
export const POPULATED: Readonly<Record<string, string>> = {
  AllocateAddress: 'publicIp domain allocationId publicIpv4Pool networkBorderGroup',
  AssociateAddress: 'return associationId',
  AssociateRouteTable: 'associationId associationState{state}',
  AttachInternetGateway: 'return',
  AttachVolume: 'volumeId instanceId device status attachTime deleteOnTermination',
  AuthorizeSecurityGroupEgress: `
    return securityGroupRuleSet{securityGroupRuleId groupId groupOwnerId isEgress ipProtocol fromPort toPort
    cidrIpv4 securityGroupRuleArn}`,
  AuthorizeSecurityGroupIngress: `
    return securityGroupRuleSet{securityGroupRuleId groupId groupOwnerId isEgress ipProtocol fromPort toPort
    cidrIpv4 description tagSet{key value} securityGroupRuleArn referencedGroupInfo{groupId userId vpcId} cidrIpv6}`,
  CopyImage: 'imageId',
  CopySnapshot: 'snapshotId tagSet{key value}',
  CreateDefaultVpc: `
    vpc{vpcId ownerId state cidrBlock cidrBlockAssociationSet{associationId cidrBlock cidrBlockState{state}}
    dhcpOptionsId instanceTenancy isDefault}`,
  CreateImage: 'imageId',
  CreateInternetGateway: 'internetGateway{internetGatewayId ownerId tagSet{key value}}',
  CreateKeyPair: 'keyName keyFingerprint keyPairId tagSet{key value} keyMaterial',
  CreateRoute: 'return',
  CreateRouteTable: `
    routeTable{routeTableId vpcId ownerId routeSet{destinationCidrBlock gatewayId state origin} tagSet{key value}}`,
  CreateSecurityGroup: 'groupId tagSet{key value} securityGroupArn',
  CreateSnapshot: `
    snapshotId volumeId status startTime progress ownerId volumeSize description tagSet{key value} encrypted
    storageTier`,
  CreateSnapshots: `
    snapshotSet{snapshotId volumeId state startTime progress ownerId volumeSize description tagSet{key value} encrypted}`,
  CreateSubnet: `
    subnet{subnetId subnetArn state ownerId vpcId cidrBlock availableIpAddressCount availabilityZone
    availabilityZoneId defaultForAz mapPublicIpOnLaunch mapCustomerOwnedIpOnLaunch assignIpv6AddressOnCreation
    enableDns64 ipv6Native privateDnsNameOptionsOnLaunch{hostnameType enableResourceNameDnsARecord
    enableResourceNameDnsAAAARecord} tagSet{key value}}`,
  CreateTags: 'return',
  CreateVolume: `
    volumeId size availabilityZone status createTime tagSet{key value} volumeType encrypted multiAttachEnabled`,
  CreateVpc: `
    vpc{vpcId ownerId state cidrBlock cidrBlockAssociationSet{associationId cidrBlock cidrBlockState{state}}
    dhcpOptionsId instanceTenancy isDefault tagSet{key value}}`,
  DeleteInternetGateway: 'return',
  DeleteKeyPair: 'return keyPairId',
  DeleteRoute: 'return',
  DeleteRouteTable: 'return',
  DeleteSecurityGroup: 'return groupId',
  DeleteSnapshot: 'return',
  DeleteSubnet: 'return',
  DeleteTags: 'return',
  DeleteVolume: 'return',
  DeleteVpc: 'return',
  DeregisterImage: 'return',
  DescribeAccountAttributes: 'accountAttributeSet{attributeName attributeValueSet{attributeValue}}',
  DescribeAddresses: `
    addressesSet{publicIp allocationId domain instanceId associationId privateIpAddress networkInterfaceId
    networkInterfaceOwnerId tagSet{key value} publicIpv4Pool networkBorderGroup}`,
  DescribeAddressesAttribute: 'addressSet{publicIp allocationId}',
  DescribeAvailabilityZones: `
    availabilityZoneInfo{zoneName zoneState regionName zoneId groupName networkBorderGroup optInStatus zoneType}`,
  DescribeCapacityReservations: 'capacityReservationSet{}',
  DescribeCarrierGateways: 'carrierGatewaySet{}',
  DescribeCustomerGateways: 'customerGatewaySet{}',
  DescribeDhcpOptions: 'dhcpOptionsSet{dhcpOptionsId ownerId dhcpConfigurationSet{key valueSet{value}}}',
  DescribeEgressOnlyInternetGateways: 'egressOnlyInternetGatewaySet{}',
  DescribeFleets: 'fleetSet{}',
  DescribeFlowLogs: 'flowLogSet{}',
  DescribeHosts: 'hostSet{}',
  DescribeIamInstanceProfileAssociations: 'iamInstanceProfileAssociationSet{}',
  DescribeImageAttribute: 'imageId launchPermission{group userId} description{value}',
  DescribeImages: `
    imagesSet{imageId imageLocation imageState imageOwnerId isPublic architecture imageType platformDetails
    usageOperation name rootDeviceType rootDeviceName virtualizationType enaSupport creationDate description
    sourceInstanceId deprecationTime tagSet{key value} sourceImageId stateReason{code message}}`,
  DescribeInstanceAttribute: `
    instanceId groupSet{groupId groupName} userData{value} blockDeviceMapping{deviceName ebs{volumeId status
    attachTime deleteOnTermination}} instanceType{value}`,
  DescribeInstanceStatus: `
    instanceStatusSet{instanceId availabilityZone instanceState{code name} systemStatus{status details{name status}}
    instanceStatus{status details{name status}}}`,
  DescribeInstanceTypeOfferings: 'instanceTypeOfferingSet{instanceType locationType location}',
  DescribeInstanceTypes: `
    instanceTypeSet{instanceType currentGeneration freeTierEligible supportedUsageClasses supportedRootDeviceTypes
    supportedVirtualizationTypes bareMetal processorInfo{supportedArchitectures} vCpuInfo{defaultVCpus defaultCores
    defaultThreadsPerCore} memoryInfo{sizeInMiB} instanceStorageSupported instanceStorageInfo{totalSizeInGB
    disks{sizeInGB count}} ebsInfo{ebsOptimizedSupport encryptionSupport nvmeSupport}
    networkInfo{maximumNetworkInterfaces maximumNetworkCards defaultNetworkCardIndex ipv4AddressesPerInterface
    ipv6AddressesPerInterface ipv6Supported enaSupport efaSupported} placementGroupInfo hibernationSupported
    burstablePerformanceSupported dedicatedHostsSupported autoRecoverySupported supportedBootModes}`,
  DescribeInstances: `
    reservationSet{reservationId ownerId instancesSet{instanceId imageId instanceState{code name} privateDnsName
    keyName amiLaunchIndex instanceType launchTime placement{availabilityZone tenancy} monitoring{state} subnetId
    vpcId privateIpAddress sourceDestCheck groupSet{groupId groupName} networkInterfaceSet{networkInterfaceId
    subnetId vpcId ownerId status macAddress privateIpAddress privateDnsName sourceDestCheck groupSet{groupId
    groupName} attachment{attachmentId deviceIndex status attachTime deleteOnTermination networkCardIndex}
    privateIpAddressesSet{privateIpAddress privateDnsName primary association{publicIp ipOwnerId}} interfaceType
    association{publicIp ipOwnerId}} architecture rootDeviceType rootDeviceName virtualizationType clientToken
    tagSet{key value} ebsOptimized enaSupport hibernationOptions{configured} enclaveOptions{enabled}
    metadataOptions{state httpTokens httpPutResponseHopLimit httpEndpoint httpProtocolIpv6 instanceMetadataTags}
    privateDnsNameOptions{hostnameType enableResourceNameDnsARecord enableResourceNameDnsAAAARecord}
    cpuOptions{coreCount threadsPerCore} platformDetails dnsName ipAddress blockDeviceMapping{deviceName
    ebs{volumeId status attachTime deleteOnTermination}} reason stateReason{code message}}}`,
  DescribeInternetGateways: `
    internetGatewaySet{internetGatewayId ownerId attachmentSet{vpcId state} tagSet{key value}}`,
  DescribeKeyPairs: 'keySet{keyName keyFingerprint keyPairId tagSet{key value} keyType createTime publicKey}',
  DescribeLaunchTemplates: 'launchTemplates{}',
  DescribeManagedPrefixLists: 'prefixListSet{}',
  DescribeNatGateways: 'natGatewaySet{}',
  DescribeNetworkAcls: `
    networkAclSet{networkAclId vpcId ownerId default entrySet{ruleNumber protocol ruleAction egress cidrBlock}
    associationSet{networkAclAssociationId subnetId networkAclId}}`,
  DescribeNetworkInterfaceAttribute: `
    networkInterfaceId attachment{attachmentId instanceId instanceOwnerId deviceIndex networkCardIndex status
    attachTime deleteOnTermination} groupSet{groupId groupName}`,
  DescribeNetworkInterfaces: `
    networkInterfaceSet{networkInterfaceId subnetId vpcId availabilityZone ownerId requesterManaged status
    macAddress privateIpAddress privateDnsName sourceDestCheck groupSet{groupId groupName} attachment{attachmentId
    instanceId instanceOwnerId deviceIndex networkCardIndex status attachTime deleteOnTermination}
    association{publicIp allocationId associationId ipOwnerId} privateIpAddressesSet{privateIpAddress privateDnsName
    primary association{publicIp allocationId associationId ipOwnerId}} interfaceType}`,
  DescribePlacementGroups: 'placementGroupSet{}',
  DescribePrefixLists: 'prefixListSet{}',
  DescribeRegions: 'regionInfo{regionName regionEndpoint optInStatus}',
  DescribeReservedInstances: 'reservedInstancesSet{}',
  DescribeRouteTables: `
    routeTableSet{routeTableId vpcId ownerId routeSet{destinationCidrBlock gatewayId state origin}
    associationSet{routeTableAssociationId main subnetId routeTableId associationState{state}} tagSet{key value}}`,
  DescribeSecurityGroupReferences: 'securityGroupReferenceSet{}',
  DescribeSecurityGroupRules: `
    securityGroupRuleSet{securityGroupRuleId groupId groupOwnerId isEgress ipProtocol fromPort toPort cidrIpv4
    description tagSet{key value} securityGroupRuleArn referencedGroupInfo{groupId userId vpcId} cidrIpv6}`,
  DescribeSecurityGroups: `
    securityGroupInfo{ownerId groupId groupName groupDescription vpcId securityGroupArn ipPermissions{ipProtocol
    fromPort toPort ipRanges{cidrIp description} groups{userId groupId description} ipv6Ranges{cidrIpv6}}
    ipPermissionsEgress{ipProtocol ipRanges{cidrIp description} fromPort toPort} tagSet{key value}}`,
  DescribeSnapshotAttribute: 'snapshotId createVolumePermission{group}',
  DescribeSnapshots: `
    snapshotSet{snapshotId volumeId status startTime progress ownerId volumeSize description tagSet{key value}
    encrypted storageTier}`,
  DescribeSpotFleetRequests: 'spotFleetRequestConfigSet{}',
  DescribeSpotInstanceRequests: 'spotInstanceRequestSet{}',
  DescribeStaleSecurityGroups: 'staleSecurityGroupSet{}',
  DescribeSubnets: `
    subnetSet{subnetId subnetArn state ownerId vpcId cidrBlock availableIpAddressCount availabilityZone
    availabilityZoneId defaultForAz mapPublicIpOnLaunch mapCustomerOwnedIpOnLaunch assignIpv6AddressOnCreation
    enableDns64 ipv6Native privateDnsNameOptionsOnLaunch{hostnameType enableResourceNameDnsARecord
    enableResourceNameDnsAAAARecord} tagSet{key value}}`,
  DescribeTags: 'tagSet{resourceId resourceType key value}',
  DescribeTransitGateways: 'transitGatewaySet{}',
  DescribeVolumeAttribute: 'volumeId autoEnableIO{value}',
  DescribeVolumeStatus: 'volumeStatusSet{volumeId availabilityZone volumeStatus{status details{name status}}}',
  DescribeVolumes: `
    volumeSet{volumeId size availabilityZone status createTime tagSet{key value} volumeType encrypted
    multiAttachEnabled attachmentSet{volumeId instanceId device status attachTime deleteOnTermination}}`,
  DescribeVolumesModifications: `
    volumeModificationSet{volumeId modificationState targetSize targetVolumeType originalSize originalVolumeType
    progress startTime endTime}`,
  DescribeVpcAttribute: 'vpcId enableDnsSupport{value}',
  DescribeVpcEndpoints: 'vpcEndpointSet{}',
  DescribeVpcPeeringConnections: 'vpcPeeringConnectionSet{}',
  DescribeVpcs: `
    vpcSet{vpcId ownerId state cidrBlock cidrBlockAssociationSet{associationId cidrBlock cidrBlockState{state}}
    dhcpOptionsId instanceTenancy isDefault tagSet{key value}}`,
  DescribeVpnConnections: 'vpnConnectionSet{}',
  DescribeVpnGateways: 'vpnGatewaySet{}',
  DetachInternetGateway: 'return',
  DetachVolume: 'volumeId instanceId device status attachTime deleteOnTermination',
  DisableImageDeprecation: 'return',
  DisassociateAddress: 'return',
  DisassociateRouteTable: 'return',
  EnableImageDeprecation: 'return',
  GetConsoleOutput: 'instanceId timestamp output',
  GetPasswordData: 'instanceId timestamp',
  GetSecurityGroupsForVpc: `
    securityGroupForVpcSet{description groupName ownerId groupId primaryVpcId tagSet{key value}}`,
  ImportKeyPair: 'keyName keyFingerprint keyPairId tagSet{key value}',
  ModifyImageAttribute: 'return',
  ModifyInstanceAttribute: 'return',
  ModifyInstanceMetadataOptions: `
    instanceId instanceMetadataOptions{state httpTokens httpPutResponseHopLimit httpEndpoint httpProtocolIpv6
    instanceMetadataTags}`,
  ModifyNetworkInterfaceAttribute: 'return',
  ModifySecurityGroupRules: 'return',
  ModifySnapshotAttribute: 'return',
  ModifySubnetAttribute: 'return',
  ModifyVolume: `
    volumeModification{volumeId modificationState targetSize targetVolumeType originalSize originalVolumeType
    progress startTime}`,
  ModifyVolumeAttribute: 'return',
  ModifyVpcAttribute: 'return',
  MonitorInstances: 'instancesSet{instanceId monitoring{state}}',
  RebootInstances: 'return',
  RegisterImage: 'imageId',
  ReleaseAddress: 'return',
  ReplaceRoute: 'return',
  ReplaceRouteTableAssociation: 'newAssociationId associationState{state}',
  ResetImageAttribute: 'return',
  ResetInstanceAttribute: 'return',
  ResetSnapshotAttribute: 'return',
  RevokeSecurityGroupEgress: `
    return revokedSecurityGroupRuleSet{securityGroupRuleId groupId isEgress ipProtocol fromPort toPort cidrIpv4
    description}`,
  RevokeSecurityGroupIngress: `
    return revokedSecurityGroupRuleSet{securityGroupRuleId groupId isEgress ipProtocol fromPort toPort
    referencedGroupId description}`,
  RunInstances: `
    reservationId ownerId instancesSet{instanceId imageId instanceState{code name} privateDnsName keyName
    amiLaunchIndex instanceType launchTime placement{availabilityZone tenancy} monitoring{state} subnetId vpcId
    privateIpAddress sourceDestCheck groupSet{groupId groupName} networkInterfaceSet{networkInterfaceId subnetId
    vpcId ownerId status macAddress privateIpAddress privateDnsName sourceDestCheck groupSet{groupId groupName}
    attachment{attachmentId deviceIndex status attachTime deleteOnTermination networkCardIndex}
    privateIpAddressesSet{privateIpAddress privateDnsName primary} interfaceType} architecture rootDeviceType
    rootDeviceName virtualizationType clientToken tagSet{key value} ebsOptimized enaSupport
    hibernationOptions{configured} enclaveOptions{enabled} metadataOptions{state httpTokens httpPutResponseHopLimit
    httpEndpoint httpProtocolIpv6 instanceMetadataTags} privateDnsNameOptions{hostnameType
    enableResourceNameDnsARecord enableResourceNameDnsAAAARecord} cpuOptions{coreCount threadsPerCore}
    platformDetails}`,
  StartInstances: 'instancesSet{instanceId currentState{code name} previousState{code name}}',
  StopInstances: 'instancesSet{instanceId currentState{code name} previousState{code name}}',
  TerminateInstances: 'instancesSet{instanceId currentState{code name} previousState{code name}}',
  UnmonitorInstances: 'instancesSet{instanceId monitoring{state}}',
  UpdateSecurityGroupRuleDescriptionsEgress: 'return',
  UpdateSecurityGroupRuleDescriptionsIngress: 'return',
};
