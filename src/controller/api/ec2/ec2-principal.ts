import { CloudError } from '../../../base/errors.ts';
import { isUsableKey } from '../../../domain/access-key.ts';
import { KEYS } from '../../../domain/keys.ts';
import type { AccessKeyRecord } from '../../../domain/records.ts';
import type { ControllerContext } from '../../controller-context.ts';
import type { Principal } from '../../operations/handler.ts';
import { principalOf } from '../../users/principal.ts';

export interface NamedKey {
  readonly accessKeyId: string;
  /** Of an access key written `KEY:project`; undefined: the key's own project. */
  readonly projectId?: string | undefined;
}

/** Whose keys sign requests, and who they are. */
export interface Ec2Callers {
  /** The secret of an active key; undefined when there is none of that id. */
  secretOf(accessKeyId: string): string | undefined;
  /**
   * Who signed, once the signature holds, in the project asked for. Only what the project has is seen, whatever the roles.
   * Errors: 'AuthFailure' (the user is gone or disabled), 'UnauthorizedOperation' (no member of it, or there is none), 'Unavailable'.
   */
  principal(key: NamedKey, from: string): Promise<Principal>;
}

export type Ec2CallersParts = Pick<ControllerContext, 'clock' | 'directory' | 'policy' | 'sealer' | 'store'>;

export function ec2Callers(parts: Ec2CallersParts): Ec2Callers {
  const { clock, store, sealer } = parts;
  const keyOf = (id: string): AccessKeyRecord | undefined => {
    const record = store.get<AccessKeyRecord>(KEYS.accessKey(id))?.value;
    return isUsableKey(record, clock.nowMs()) ? record : undefined;
  };
  return {
    secretOf(id) {
      const record = keyOf(id);
      return record === undefined ? undefined : sealer.unseal(record.sealedSecret, KEYS.accessKey(id));
    },
    async principal({ accessKeyId, projectId }, from) {
      const key = keyOf(accessKeyId);
      if (key === undefined) throw new CloudError('AuthFailure', `the access key ${accessKeyId} is not there any more`);
      return principalOf(parts, {
        ...{ userName: key.userId, projectId: projectId ?? key.projectId, from, accessKeyId },
        ownProjectOnly: true,
      });
    },
  };
}
