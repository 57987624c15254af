/** A project's network: one subnet, one bridge on each host that has an instance in it. */
export interface NetworkRecord {
  readonly v: 1;
  readonly id: string;
  readonly projectId: string;
  readonly cidr: string;
  readonly gateway: string;
  readonly bridge: string;
  readonly bridgeMac: string;
  readonly createdAtMs: number;
  /** Of a subnet that was made in a VPC: the VPC, and the zone that it was made for. Absent: the project's first network. */
  readonly vpcId?: string;
  readonly zone?: string;
}
