import { isIPv4 } from 'node:net';
import type { Clock } from '../../base/clock.ts';
import { CloudError } from '../../base/errors.ts';
import type { Logger } from '../../base/logger.ts';

/** How the attributes of people are called in this directory. */
export interface PersonAttributes {
  /** The user's name; also the first part of the name of entries that novactl makes. */
  readonly name: string;
  readonly displayName: string;
  readonly email: string;
}

/** Where the directory is, and as whom it is spoken to. */
export interface LdapAccess {
  /** ldap://HOST[:PORT] or ldaps://HOST[:PORT]; plain ldap for loopback addresses or with StartTLS. */
  readonly url: string;
  readonly startTls: boolean;
  /** PEM; absent: Node's authorities. */
  readonly ca?: Buffer | undefined;
  readonly bindDn: string;
  readonly bindPassword: string;
  readonly connectTimeoutMs: number;
  /** For one answer. */
  readonly timeoutMs: number;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Where things are in it. */
export interface LdapPlaces {
  /** novactl's own part. */
  readonly baseDn: string;
  /** People are below it. */
  readonly userBase: string;
  /** Whom of the people the cloud may have as users. Entries that novactl made are always taken. */
  readonly userFilter: string;
  readonly attributes: PersonAttributes;
}

export type LdapSettings = LdapAccess & LdapPlaces;

export interface LdapServer {
  readonly host: string;
  readonly port: number;
  /** TLS from the first byte. */
  readonly secure: boolean;
}

/** Errors: 'InvalidParameterValue' where it is no address, or a password would go over a network in the clear. */
export function readLdapServer({ url: text, startTls }: Pick<LdapAccess, 'url' | 'startTls'>): LdapServer {
  const server = parseUrl(text);
  if (server === undefined) {
    throw refuse(`directory.url: ${text}: must be an address like ldaps://ldap.example.org, with no user and no path`);
  }
  if (server.secure && startTls) {
    throw refuse(`directory.startTls: ${text} is TLS already; leave directory.startTls out, or write ldap://`);
  }
  if (!server.secure && !startTls && !isLoopback(server.host)) {
    throw refuse(
      `directory.url: ${text} is plain and leaves this machine; write ldaps://, or set directory.startTls to on`,
    );
  }
  return server;
}

function parseUrl(text: string): LdapServer | undefined {
  const match = /^(ldaps?):\/\/(\[[0-9a-f:.]+\]|[a-z0-9.-]+)(?::(\d{1,5}))?\/?$/i.exec(text);
  if (match === null) return undefined;
  const [, scheme = '', name = '', digits] = match;
  const secure = scheme.toLowerCase() === 'ldaps';
  const port = digits === undefined ? (secure ? 636 : 389) : Number(digits);
  return port === 0 || port > 65_535 ? undefined : { host: name.replace(/^\[|\]$/g, ''), port, secure };
}

const refuse = (message: string): CloudError => new CloudError('InvalidParameterValue', message);

const isLoopback = (host: string): boolean =>
  host.toLowerCase() === 'localhost' || host === '::1' || (isIPv4(host) && host.startsWith('127.'));
