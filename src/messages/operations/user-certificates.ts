import { z } from 'zod';
import { defineOperation } from './definition.ts';
import { Name } from './fields.ts';

const UserCertificateView = z.object({
  serial: z.string(),
  userName: z.string(),
  projectId: z.string(),
  keyType: z.enum(['rsa', 'ec']),
  fingerprint: z.string(),
  createdAtMs: z.number(),
  expiresAtMs: z.number(),
  /** Absent: it was not revoked. */
  revokedAtMs: z.number().optional(),
});

const PEM = /^-----BEGIN PUBLIC KEY-----\n[A-Za-z0-9+/=\n]{1,4000}\n-----END PUBLIC KEY-----\n?$/;

export const CreateUserCertificate = defineOperation({
  name: 'CreateUserCertificate',
  summary: "have the cloud's authority sign a certificate for a key of one's own",
  kind: 'unary',
  changes: true,
  access: 'member',
  input: z.strictObject({
    /** Default: the caller (at the socket: the user admin). Those of others are the cloudadmin's to make. */
    UserName: Name.optional(),
    ProjectId: Name.optional(),
    /** SubjectPublicKeyInfo as PEM: RSA of 3072 to 8192 bits, or P-256. The private half stays with the caller. */
    PublicKey: z.string().regex(PEM, 'must be one PEM block "PUBLIC KEY" (SubjectPublicKeyInfo)'),
    LifeDays: z.int().min(1, 'must be 1 to 3650').max(3650, 'must be 1 to 3650').default(365),
  }),
  output: z.object({
    userCertificate: UserCertificateView,
    /** PEM. */
    certificate: z.string(),
    /** The certificate of the authority, PEM. */
    authority: z.string(),
    /** The cloud's RSA certificate that bundles of images are encrypted for, PEM. */
    bundling: z.string(),
    /** Of the project. */
    accountId: z.string(),
    region: z.string(),
    operationId: z.string(),
  }),
});

export const DescribeUserCertificates = defineOperation({
  name: 'DescribeUserCertificates',
  summary: "list certificates that the cloud's authority has signed for users",
  kind: 'unary',
  changes: false,
  access: 'member',
  input: z.strictObject({
    /** Default: the caller's own; for the cloudadmin, all. */
    UserName: Name.optional(),
  }),
  output: z.object({ userCertificates: z.array(UserCertificateView), rev: z.int() }),
});

export const DeleteUserCertificate = defineOperation({
  name: 'DeleteUserCertificate',
  summary: 'revoke a certificate: nothing that it signed is taken from then on',
  kind: 'unary',
  changes: true,
  access: 'member',
  input: z.strictObject({ Serial: z.string().regex(/^[0-9A-F]{2,64}$/, 'must be a serial number in upper-case hex') }),
  output: z.object({ userCertificate: UserCertificateView, operationId: z.string() }),
});
