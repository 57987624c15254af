import { createPrivateKey, createPublicKey, X509Certificate } from 'node:crypto';
import type { Clock } from '../../base/clock.ts';
import type { Random } from '../../base/random.ts';
import { issueBundling, issueUser } from '../../base/x509/issue-certificate.ts';
import type { CertificateAuthority } from '../../ports/certificate-authority.ts';
import { authorityName, openAuthority } from './authority-files.ts';

interface Options {
  /** The folder of secrets. */
  readonly stateDir: string;
  readonly cloudId: string;
  readonly random: Random;
  readonly clock: Pick<Clock, 'nowMs'>;
}

/** The authority whose key is in the folder of secrets, which is looked at when it is asked for something: another process may have made it meanwhile. */
export function certificateAuthority({ stateDir, cloudId, random, clock }: Options): CertificateAuthority {
  const open = () => openAuthority({ stateDir, cloudId, random, nowMs: clock.nowMs() });
  return {
    certificate: async () => (await open()).certificate,
    async signBundling(publicKey) {
      const authority = await open();
      const nowMs = clock.nowMs();
      return issueBundling({
        ...{ commonName: `${cloudId} bundles`, nowMs, random },
        lifeMs: Date.parse(new X509Certificate(authority.certificate).validTo) - nowMs,
        publicKey: createPublicKey(publicKey),
        authorityName: authorityName(cloudId),
        authorityKey: createPrivateKey(authority.privateKey),
      });
    },
    async signUser({ userId, projectId, publicKey, lifeMs }) {
      const authority = await open();
      const nowMs = clock.nowMs();
      const endMs = Date.parse(new X509Certificate(authority.certificate).validTo);
      const certificate = issueUser({
        ...{ commonName: userId, unit: projectId, nowMs, lifeMs: Math.min(lifeMs, endMs - nowMs), random },
        publicKey: createPublicKey(publicKey),
        authorityName: authorityName(cloudId),
        authorityKey: createPrivateKey(authority.privateKey),
      });
      const { serialNumber: serial, fingerprint256: fingerprint, validTo } = new X509Certificate(certificate);
      return { certificate, serial, fingerprint, expiresAtMs: Date.parse(validTo) };
    },
  };
}
