import { CloudError, isCode } from '../../../base/errors.ts';
import { FEATURE, LIFECYCLE, PROCEDURES } from './procedures.ts';
import type { RpcConnection } from './rpc-connection.ts';

/** enum remote_auth_type. */
const AUTH = { none: 0, sasl: 1, polkit: 2 } as const;

/** The daemon's own name for its QEMU driver; anything else in OPEN is refused by it. */
const URI = 'qemu:///system';
const OPEN_TIMEOUT_MS = 60_000;

async function authenticate(rpc: RpcConnection): Promise<void> {
  // Required even for root: until it is called every other call answers "authentication required".
  const { types } = await rpc.call(PROCEDURES.authList, undefined, OPEN_TIMEOUT_MS);
  if (types.length === 0 || types.includes(AUTH.none)) return;
  if (types.includes(AUTH.polkit)) {
    await rpc.call(PROCEDURES.authPolkit, undefined, OPEN_TIMEOUT_MS).catch((error: unknown) => {
      // Where polkit itself is absent libvirt says only that there is no system bus.
      if (!isCode(error, 'HypervisorError')) throw error;
      throw new CloudError(
        'OperationNotPermitted',
        `libvirt lets only root in there, since it can not ask polkit: ${error.message}`,
        { cause: error, details: { ...error.details, polkit: 'absent' } },
      );
    });
    return;
  }
  throw new CloudError(
    'OperationNotPermitted',
    'libvirt asks for SASL on its socket, which is not supported: connect as root, or set auth_unix_rw = "none" with a group of its own',
    { details: { authTypes: types } },
  );
}

/**
 * Authenticates, asks for keepalive (unless that is false), opens qemu:///system, and with `events` registers for every domain's lifecycle.
 * Once a connection: a second OPEN on one socket destroys the first.
 */
export async function openSession(
  rpc: RpcConnection,
  options: { readonly events: boolean; readonly keepalive?: boolean },
): Promise<void> {
  await authenticate(rpc);
  if (options.keepalive !== false)
    await rpc.call(PROCEDURES.supportsFeature, { feature: FEATURE.keepalive }, OPEN_TIMEOUT_MS);
  await rpc.call(PROCEDURES.open, { uri: URI, flags: 0 }, OPEN_TIMEOUT_MS);
  if (!options.events) return;
  const { value } = await rpc.call(PROCEDURES.supportsFeature, { feature: FEATURE.eventCallback }, OPEN_TIMEOUT_MS);
  if (value !== 1)
    throw new CloudError(
      'UnsupportedOperation',
      'libvirt on this host is too old: it can not push events (1.3.3 or newer is needed)',
    );
  await rpc.call(PROCEDURES.registerEvent, { eventId: LIFECYCLE.eventId, dom: undefined }, OPEN_TIMEOUT_MS);
}
