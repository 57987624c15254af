import type { IncomingMessage } from 'node:http';
import type { Clock } from '../../../base/clock.ts';
import { CloudError } from '../../../base/errors.ts';
import { UNSIGNED_PAYLOAD } from '../../../base/signature/signature-v4.ts';
import { KEYS } from '../../../domain/keys.ts';
import type { AccessKeyRecord, UserRecord } from '../../../domain/records.ts';
import type { Replica } from '../../../ports/store.ts';
import type { Sealer } from '../../../ports/sealer.ts';
import type { Authenticated } from '../admin/admin-routes.ts';
import { signableRequest } from './signable-request.ts';
import { verifySignature } from './verify-signature.ts';

export interface Authenticator {
  /** From the request's head alone. Throws what the caller is to be told. */
  authenticate(request: IncomingMessage): Authenticated;
}

export interface AuthenticatorOptions {
  readonly store: Pick<Replica, 'get'>;
  readonly sealer: Pick<Sealer, 'unseal'>;
  readonly clock: Pick<Clock, 'nowMs'>;
  readonly region: string;
}

/** The service that requests to the admin API are signed for. */
export const ADMIN_SERVICE = 'novactl';

/** Callers of the admin API over the network: signature version 4 by an active access key, in the header. */
export function adminAuthenticator({ store, sealer, clock, region }: AuthenticatorOptions): Authenticator {
  const keyOf = (id: string): AccessKeyRecord | undefined => {
    const record = store.get<AccessKeyRecord>(KEYS.accessKey(id))?.value;
    return record?.active === true ? record : undefined;
  };
  return {
    authenticate(message) {
      const request = signableRequest(message);
      const { accessKeyId, payloadHash } = verifySignature(request, {
        ...{ service: ADMIN_SERVICE, region, nowMs: clock.nowMs(), pathStyle: 'encoded', headerOnly: true },
        secretOf: (id) => {
          const record = keyOf(id);
          return record === undefined ? undefined : sealer.unseal(record.sealedSecret, KEYS.accessKey(id));
        },
        payloadHash: () => claimedHash(request.headers.get('x-amz-content-sha256')),
        mustSign: (name) => name.startsWith('x-novactl-') || name === 'content-type' || name === 'upgrade',
      });
      const key = keyOf(accessKeyId);
      const user = key === undefined ? undefined : store.get<UserRecord>(KEYS.user(key.userId))?.value;
      if (key === undefined || user === undefined) {
        throw new CloudError('AuthFailure', `the user of access key ${accessKeyId} is not there any more`);
      }
      const from = `https ${message.socket.remoteAddress ?? 'unknown'}`;
      return {
        principal: { name: `${user.id}/${accessKeyId}`, projectId: key.projectId, roles: user.roles, from },
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
