import type { IncomingMessage } from 'node:http';
import { CloudError } from '../../../base/errors.ts';
import { UNSIGNED_PAYLOAD } from '../../../base/signature/signature-v4.ts';
import { isUsableKey } from '../../../domain/access-key.ts';
import { KEYS } from '../../../domain/keys.ts';
import type { AccessKeyRecord } from '../../../domain/records.ts';
import type { ControllerContext } from '../../controller-context.ts';
import { principalOf } from '../../users/principal.ts';
import { askedProject } from '../admin/asked-project.ts';
import type { Authenticated } from '../admin/admin-routes.ts';
import { signableRequest } from './signable-request.ts';
import { verifySignature } from './verify-signature.ts';

export interface Authenticator {
  /** From the request's head alone. Throws what the caller is to be told. */
  authenticate(request: IncomingMessage): Promise<Authenticated>;
}

export type AuthenticatorParts = Pick<ControllerContext, 'clock' | 'directory' | 'policy' | 'sealer' | 'store'>;

/** The service that requests to the admin API are signed for. */
export const ADMIN_SERVICE = 'novactl';

/**
 * Callers of the admin API over the network: signature version 4 by an active access key, in the header. `x-novactl-project` names another project than the
 * key's, for who may work in it.
 */
export function adminAuthenticator(parts: AuthenticatorParts): Authenticator {
  const { store, sealer, clock, policy } = parts;
  const keyOf = (id: string): AccessKeyRecord | undefined => {
    const record = store.get<AccessKeyRecord>(KEYS.accessKey(id))?.value;
    return isUsableKey(record, clock.nowMs()) ? record : undefined;
  };
  return {
    async authenticate(message) {
      const request = signableRequest(message);
      const { accessKeyId, payloadHash } = verifySignature(request, {
        ...{
          service: ADMIN_SERVICE,
          region: policy.region,
          nowMs: clock.nowMs(),
          pathStyle: 'encoded',
          headerOnly: true,
        },
        secretOf: (id) => {
          const record = keyOf(id);
          return record === undefined ? undefined : sealer.unseal(record.sealedSecret, KEYS.accessKey(id));
        },
        payloadHash: () => claimedHash(request.headers.get('x-amz-content-sha256')),
        mustSign: (name) => name.startsWith('x-novactl-') || name === 'content-type' || name === 'upgrade',
      });
      const key = keyOf(accessKeyId);
      if (key === undefined) throw new CloudError('AuthFailure', `the access key ${accessKeyId} is not there any more`);
      const from = `https ${message.socket.remoteAddress ?? 'unknown'}`;
      const projectId = askedProject(message) ?? key.projectId;
      return {
        principal: await principalOf(parts, { userName: key.userId, projectId, from, accessKeyId }),
        payloadHash,
      };
    },
  };
}

function claimedHash(values: readonly string[] | undefined): string {
  const [only, ...more] = values ?? [];
  if (only !== undefined && more.length === 0 && (only === UNSIGNED_PAYLOAD || /^[0-9a-f]{64}$/.test(only)))
    return only;
  throw new CloudError(
    'IncompleteSignature',
    `x-amz-content-sha256 must be there once: 64 lower-case hex digits, or ${UNSIGNED_PAYLOAD} for an upload`,
  );
}
