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
  /** SPKI, PEM: to check what it signed. Absent in records of before bundles were read. */
  readonly publicKey?: string;
  /** No check of what it signed may take it from then on. */
  readonly revokedAtMs?: number;
}

/** The cloud's RSA key that bundles of images are encrypted for: one for all controllers. */
export interface BundlingKeyRecord {
  readonly v: 1;
  /** PKCS #8, PEM, sealed. */
  readonly sealedKey: string;
  /** By the cloud's authority, PEM. */
  readonly certificate: string;
  readonly createdAtMs: number;
}
