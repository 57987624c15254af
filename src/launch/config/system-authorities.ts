import { getCACertificates } from 'node:tls';

/** The certificate authorities that this machine trusts; undefined where it has no list of its own, then it is Node's. */
export function systemAuthorities(): Buffer | undefined {
  const certificates = getCACertificates('system');
  return certificates.length === 0 ? undefined : Buffer.from(certificates.join('\n'));
}
