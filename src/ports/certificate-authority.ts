/** The cloud's own certificate authority. Errors of all: 'CorruptState' (its key or certificate is damaged or missing). */
export interface CertificateAuthority {
  /** Its certificate, PEM. */
  certificate(): Promise<string>;
  /** The cloud's own certificate for an RSA public key (SPKI, PEM) that bundles are encrypted for, for as long as its own lasts. PEM. */
  signBundling(publicKey: string): Promise<string>;
  /** A certificate for a user's public key (SPKI, PEM), for so long as its own lasts at most. */
  signUser(ask: {
    readonly userId: string;
    readonly projectId: string;
    readonly publicKey: string;
    readonly lifeMs: number;
  }): Promise<SignedCertificate>;
}

export interface SignedCertificate {
  /** PEM. */
  readonly certificate: string;
  /** Upper-case hex. */
  readonly serial: string;
  /** SHA-256, upper-case hex with colons. */
  readonly fingerprint: string;
  readonly expiresAtMs: number;
}
