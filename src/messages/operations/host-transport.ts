import { z } from 'zod';
import { HostName } from './fields.ts';

/** How a machine is reached, as a caller says it. What is recorded has the whole host key in place of its fingerprint (domain/records.ts). */

export const Fingerprint = z
  .string()
  .regex(
    /^SHA256:[A-Za-z0-9+/]{43}=?$/,
    'must be SHA256: and 43 characters, as "ssh-keygen -l -f /etc/ssh/ssh_host_ed25519_key.pub" shows it on the host',
  );

const Address = z
  .string()
  .regex(
    /^[A-Za-z0-9]([A-Za-z0-9._:-]{0,251}[A-Za-z0-9])?$|^[0-9a-fA-F:.]{2,45}$/,
    'must be a host name or an IP address',
  );

export const SshPort = z
  .int('must be a port, 1 to 65535')
  .min(1, 'must be a port, 1 to 65535')
  .max(65_535, 'must be a port, 1 to 65535');

const User = z
  .string()
  .regex(/^[A-Za-z_][A-Za-z0-9_.-]{0,31}$/, 'must be a user name: letters, digits, "_", "." or "-"');

const absolute = z.string().regex(/^\/[^\0\n]{1,4095}$/, 'must be an absolute path');

/** Default: the cloud's own key. Paths are of the machine where the worker runs. */
export const SshLogin = z.discriminatedUnion(
  'kind',
  [
    z.strictObject({ kind: z.literal('cloud') }),
    z.strictObject({ kind: z.literal('file'), path: absolute }),
    z.strictObject({ kind: z.literal('agent'), socket: absolute }),
  ],
  'must be cloud, file or agent',
);

const server = { host: Address, port: SshPort.default(22) };

export const SshJump = z.strictObject({ ...server, user: User.default('root'), fingerprint: Fingerprint });

export const HostTransportInput = z.discriminatedUnion(
  'kind',
  [
    z.strictObject({ kind: z.literal('local') }),
    z.strictObject({
      kind: z.literal('ssh'),
      ...server,
      user: User.default('root'),
      login: SshLogin.default({ kind: 'cloud' }),
      sudo: z.boolean().default(false),
      fingerprint: Fingerprint,
      jump: SshJump.optional(),
    }),
    /** Only where the configuration says `drivers: simulated`. */
    z.strictObject({ kind: z.literal('simulated'), name: HostName }),
  ],
  'must be local or ssh',
);
export type HostTransportInput = z.output<typeof HostTransportInput>;

export const HostKeyTarget = z.strictObject({
  ...server,
  /** Which of its keys is meant; absent: the one that it prefers. */
  fingerprint: Fingerprint.optional(),
  jump: SshJump.optional(),
  /** Who logs in at the jump host. */
  login: SshLogin.default({ kind: 'cloud' }),
});
