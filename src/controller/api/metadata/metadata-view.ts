/** All that an instance may learn of itself: plain data, made by whoever knows the records. */
export interface MetadataView {
  readonly instanceId: string;
  readonly reservationId: string;
  readonly launchIndex: number;
  readonly imageId: string;
  readonly kernelId?: string;
  readonly ramdiskId?: string;
  readonly instanceType: string;
  readonly hostname: string;
  readonly localIpv4: string;
  readonly publicIpv4?: string;
  readonly mac: string;
  readonly zone: string;
  readonly region: string;
  /** 12 digits. */
  readonly accountId: string;
  readonly publicKeys: readonly { readonly name: string; readonly openssh: string }[];
  readonly securityGroups: readonly string[];
  /** As given to RunInstances, decoded. */
  readonly userData?: Buffer;
  /** Answer only to who holds a session token (EC2's `HttpTokens=required`). */
  readonly requireToken?: boolean;
  readonly launchTimeMs: number;
  /** `x86_64` or `arm64`. */
  readonly architecture: string;
}
