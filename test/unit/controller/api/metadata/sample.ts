import type { MetadataView } from '../../../../../src/controller/api/metadata/metadata-view.ts';

/** An instance with everything. */
export const full: MetadataView = {
  instanceId: 'i-0123456789abcdef0',
  reservationId: 'r-0123456789abcdef0',
  launchIndex: 2,
  imageId: 'ami-0123456789abcdef0',
  kernelId: 'aki-0123456789abcdef0',
  ramdiskId: 'ari-0123456789abcdef0',
  instanceType: 'm1.tiny',
  hostname: 'web-1',
  localIpv4: '127.0.0.2',
  publicIpv4: '203.0.113.9',
  mac: '02:16:3e:00:02:01',
  zone: 'novaa',
  region: 'nova',
  accountId: '123456789012',
  publicKeys: [
    { name: 'ops', openssh: 'ssh-ed25519 AAAA ops' },
    { name: 'dev', openssh: 'ssh-ed25519 BBBB dev' },
  ],
  securityGroups: ['default', 'web'],
  userData: Buffer.from([0, 255, 10, 13, 0x1f, 0x8b]),
  launchTimeMs: Date.UTC(2026, 0, 2, 3, 4, 5, 678),
  architecture: 'x86_64',
};

/** One with only what every instance has, that wants tokens. */
export const bare: MetadataView = {
  instanceId: 'i-0123456789abcdef1',
  reservationId: 'r-0123456789abcdef1',
  launchIndex: 0,
  imageId: 'ami-0123456789abcdef1',
  instanceType: 'm1.nano',
  hostname: 'bare',
  localIpv4: '127.0.0.3',
  mac: '02:16:3e:00:02:02',
  zone: 'nova',
  region: 'nova',
  accountId: '123456789012',
  publicKeys: [],
  securityGroups: [],
  requireToken: true,
  launchTimeMs: 0,
  architecture: 'arm64',
};
