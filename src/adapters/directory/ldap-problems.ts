import { ResultCodeError } from 'ldapts';
import { CloudError, errorText } from '../../base/errors.ts';

/** Result codes of RFC 4511 that are told apart here. */
export const LDAP_CODE = {
  sizeLimitExceeded: 4,
  strongerAuthRequired: 8,
  referral: 10,
  confidentialityRequired: 13,
  noSuchAttribute: 16,
  constraintViolation: 19,
  attributeOrValueExists: 20,
  noSuchObject: 32,
  inappropriateAuthentication: 48,
  invalidCredentials: 49,
  insufficientAccess: 50,
  unwillingToPerform: 53,
  notAllowedOnNonLeaf: 66,
  entryAlreadyExists: 68,
} as const;

type LdapCodeName = keyof typeof LDAP_CODE;

/** True when the server answered with one of these codes. */
export function isLdapCode(error: unknown, ...names: readonly LdapCodeName[]): error is ResultCodeError {
  return error instanceof ResultCodeError && names.some((name) => LDAP_CODE[name] === error.code);
}

/** What to do about codes of which the server's own words say too little. */
const ADVICE: ReadonlyMap<number, string> = new Map([
  [4, 'it gives this account no more entries: raise its limit (olcLimits), see packaging/ldap'],
  [8, 'it wants TLS: set directory.startTls to on, or write ldaps:// in directory.url'],
  [10, 'it points to another server, and referrals are not followed: name that server in directory.url'],
  [13, 'it wants TLS: set directory.startTls to on, or write ldaps:// in directory.url'],
  [17, 'it does not know our schema: load packaging/ldap/novactl.ldif, see "novactl directory check"'],
  [21, 'it does not take one of the values'],
  [32, 'it shows no such entry to this account: see "novactl directory check"'],
  [50, 'this account may not do that: see "novactl directory check" and packaging/ldap'],
]);

/** Codes by which a server says that a value or an entry can't be as it was asked for. */
const BAD_VALUE = new Set([17, 19, 21, 34, 64, 65, 67, 69]);
/** Codes by which it says that it does not let us write. */
const READ_ONLY = new Set([10, 50, 53]);

const words = (error: unknown): string => errorText(error).replaceAll(/\s+/g, ' ').trim();

function explained(error: unknown): string {
  if (!(error instanceof ResultCodeError)) return words(error);
  const advice = ADVICE.get(error.code);
  return `${words(error)} (code ${error.code})${advice === undefined ? '' : `; ${advice}`}`;
}

/** An answer that says nothing about users, or none at all: 'Unavailable', whatever it was. */
export function unavailable(what: string, error: unknown): CloudError {
  if (error instanceof CloudError) return error;
  return new CloudError('Unavailable', `the directory can't be asked (${what}): ${explained(error)}`, { cause: error });
}

/** The same of a change, where the server may also refuse for good. */
export function changeRefused(what: string, error: unknown): CloudError {
  if (error instanceof ResultCodeError) {
    const text = `the directory refuses (${what}): ${explained(error)}`;
    if (BAD_VALUE.has(error.code)) return new CloudError('InvalidParameterValue', text, { cause: error });
    if (READ_ONLY.has(error.code)) return new CloudError('UnsupportedOperation', text, { cause: error });
  }
  return unavailable(what, error);
}
