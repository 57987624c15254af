import { CloudError } from '../../../base/errors.ts';
import type { Principal } from '../../operations/handler.ts';
import type { XmlTree } from './xml-tree.ts';

/** The service that clients sign the one question for, which account theirs is, before they begin: Terraform, Ansible, `aws sts`. */
export const STS_SERVICE = 'sts';
export const STS_NAMESPACE = 'https://sts.amazonaws.com/doc/2011-06-15/';
const STS_VERSION = '2011-06-15';
const STS_ACTION = 'GetCallerIdentity';

/** Errors: 'InvalidAction', 'NoSuchVersion'. */
export function requireSts(action: string, version: string): void {
  if (action !== STS_ACTION) {
    throw new CloudError('InvalidAction', `of the service sts only ${STS_ACTION} is answered here`);
  }
  if (version !== STS_VERSION)
    throw new CloudError('NoSuchVersion', `Version: must be ${STS_VERSION} for ${STS_ACTION}`);
}

/** What stands in `<GetCallerIdentityResponse>` (AWS STS API reference, 2011-06-15). */
export function callerIdentity(principal: Principal, account: string, requestId: string): XmlTree {
  const user = principal.userName ?? principal.name;
  return {
    GetCallerIdentityResult: { Arn: `arn:aws:iam::${account}:user/${user}`, UserId: user, Account: account },
    ResponseMetadata: { RequestId: requestId },
  };
}
