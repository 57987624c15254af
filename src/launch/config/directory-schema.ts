import { z } from 'zod';

const optionalFile = z
  .string()
  .regex(/^\/[^\0]*$/, 'must be an absolute path')
  .or(z.literal('', 'must be an absolute path, or empty'))
  .default('');

const dn = z
  .string()
  .regex(/^([a-zA-Z][a-zA-Z0-9-]*=[^,\0]+(,\s*[a-zA-Z][a-zA-Z0-9-]*=[^,\0]+)*)?$/, {
    message: 'must be a distinguished name like ou=novactl,dc=example,dc=org, or empty',
  })
  .default('');

const attribute = (name: string, what: string) =>
  z
    .string()
    .regex(/^[a-zA-Z][a-zA-Z0-9-]{0,63}$/, 'must be the name of an attribute')
    .default(name)
    .describe(what);

const milliseconds = (min: number, max: number, fallback: number, what: string) => {
  const allowed = `must be a whole number, ${min} to ${max}`;
  return z.int(allowed).min(min, allowed).max(max, allowed).default(fallback).describe(what);
};

/** The part `directory` of the configuration. */
export const directorySchema = z.strictObject({
  kind: z
    .enum(['store', 'ldap'], 'must be store or ldap')
    .default('store')
    .describe('where users and projects are: among the records of the store, or in an LDAP directory'),
  url: z
    .string()
    .regex(/^(ldaps?:\/\/[^/\s@]+\/?)?$/, 'must be an address like ldaps://ldap.example.org, or empty')
    .default('')
    .describe('LDAP server, ldaps://HOST[:PORT] or ldap://HOST[:PORT]; plain ldap only to loopback or with StartTLS'),
  startTls: z
    .enum(['off', 'on'], 'must be off or on')
    .default('off')
    .describe('whether an ldap:// connection becomes TLS before anything is said'),
  ca: optionalFile.describe("authority of the server's certificate; empty: the system's"),
  bindDn: dn.describe("novactl's own account in the directory; empty: cn=novactl below directory.baseDn"),
  bindPasswordFile: optionalFile.describe('file (mode 0600) with the password of that account'),
  baseDn: dn.describe("novactl's own part of the directory"),
  userBase: dn.describe('people are below it; empty: ou=users below directory.baseDn'),
  userFilter: z
    .string()
    .regex(/^\(.*\)$/, 'must be an LDAP filter in parentheses')
    .default('(objectClass=inetOrgPerson)')
    .describe('which people the cloud may have as users'),
  attributes: z
    .strictObject({
      name: attribute('uid', 'attribute with the name of a user'),
      displayName: attribute('displayName', 'attribute with the name that is shown'),
      email: attribute('mail', 'attribute with the mail address'),
    })
    .prefault({}),
  cacheMs: milliseconds(0, 10_000, 5000, 'time that an answer of an LDAP directory counts, in milliseconds'),
  connectTimeoutMs: milliseconds(100, 60_000, 3000, 'time to connect to it, in milliseconds'),
  timeoutMs: milliseconds(100, 60_000, 5000, 'time that it has for an answer, in milliseconds'),
});
