import type { HostTransport, SshLogin, SshServer } from '../domain/records.ts';

/** A host's public SSH key as it answers with it. `fingerprint` is OpenSSH's SHA256:... */
export interface SshHostKey {
  readonly type: string;
  readonly base64: string;
  readonly fingerprint: string;
}

export interface HostKeyQuery {
  /** Name or address. */
  readonly host: string;
  readonly port: number;
  /** Which of the host's keys is meant; absent: the one that it prefers. */
  readonly fingerprint?: string | undefined;
  /** A server to go through, and who logs in there. */
  readonly jump?: { readonly server: SshServer; readonly login: SshLogin } | undefined;
}

/** One line of a preflight. `mend` is the command, or the sentence, that puts it right. */
export interface HostCheckRow {
  readonly check: string;
  readonly result: 'ok' | 'warn' | 'fail';
  readonly seen: string;
  readonly mend?: string | undefined;
}

/** What a preflight has to know of the cloud that would use the host. */
export interface HostCheckContext {
  readonly cloudId: string;
  /** IPv4 network of all project networks. */
  readonly fixedRange: string;
}

/** What can be asked of a machine before it is a host of the cloud. Nothing here changes anything on it. */
export interface HostReach {
  /**
   * The key by which the machine answers. It proves that the machine holds the key, not that it is the right machine.
   * CloudError 'Unavailable' (details.reason as of a connection; 'host-key': no key of it has the fingerprint, details.offered says which it has).
   */
  hostKey(query: HostKeyQuery): Promise<SshHostKey>;
  /** The public line of the cloud's own key, which is made at its first use. */
  cloudKey(): Promise<string>;
  /** Looks at everything that a host needs. Never rejects for what is wrong with the machine: that is a row. */
  check(transport: HostTransport, context: HostCheckContext): Promise<HostCheckRow[]>;
}
