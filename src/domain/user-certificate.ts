/** A certificate that the cloud's authority has signed for a user; the private half is theirs alone. */
export interface UserCertificateRecord {
  readonly v: 1;
  /** Upper-case hex. */
  readonly serial: string;
  readonly userId: string;
  readonly projectId: string;
  readonly keyType: 'rsa' | 'ec';
  /** SHA-256 of the certificate, upper-case hex with colons. */
  readonly fingerprint: string;
  readonly createdAtMs: number;
  readonly expiresAtMs: number;
  /** No check of what it signed may take it from then on. */
  readonly revokedAtMs?: number;
}
