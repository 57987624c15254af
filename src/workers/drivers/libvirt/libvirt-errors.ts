import type { ErrorCode } from '../../../base/error-codes.ts';
import { CloudError } from '../../../base/errors.ts';
import type { RemoteError } from './procedures.ts';

/** virErrorNumber: those that are told apart here. */
export const VIR_ERR = {
  noSupport: 3,
  noConnect: 5,
  invalidArg: 8,
  operationFailed: 9,
  xmlError: 27,
  operationDenied: 29,
  rpc: 39,
  noDomain: 42,
  authFailed: 45,
  operationInvalid: 55,
  operationTimeout: 68,
  accessDenied: 88,
  authUnavailable: 94,
} as const;

interface Meaning {
  readonly code: ErrorCode;
  /** What to do next. */
  readonly hint?: string;
}

const DENIED: Meaning = {
  code: 'OperationNotPermitted',
  hint: 'the user that connects needs the rights of group libvirt (polkit) or root on that host',
};

const MEANING: Readonly<Record<number, Meaning>> = {
  [VIR_ERR.noDomain]: { code: 'NotFound' },
  [VIR_ERR.operationTimeout]: { code: 'Timeout', hint: 'another call holds the domain; try again' },
  [VIR_ERR.operationDenied]: DENIED,
  [VIR_ERR.authFailed]: DENIED,
  [VIR_ERR.authUnavailable]: DENIED,
  [VIR_ERR.accessDenied]: DENIED,
};

/** libvirt's answer as a CloudError; details: {libvirtCode, libvirtDomain, libvirtMessage, procedure}. */
export function fromRemoteError(error: RemoteError, procedure: string): CloudError {
  const meaning = MEANING[error.code] ?? { code: 'HypervisorError' };
  const said = error.message ?? 'no message';
  const hint = meaning.hint === undefined ? '' : ` (${meaning.hint})`;
  return new CloudError(meaning.code, `libvirt: ${said}${hint}`, {
    details: { libvirtCode: error.code, libvirtDomain: error.domain, libvirtMessage: said, procedure },
  });
}

/** The virErrorNumber in an error made by fromRemoteError, or undefined. */
export function libvirtCode(error: unknown): number | undefined {
  if (!(error instanceof CloudError)) return undefined;
  const code = error.details?.['libvirtCode'];
  return typeof code === 'number' ? code : undefined;
}
