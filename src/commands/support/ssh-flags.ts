import { resolve } from 'node:path';
import { Flags } from '@oclif/core';
import { CloudError } from '../../base/errors.ts';
import type { OperationInput } from '../../messages/operations/index.ts';
import { checkFingerprint, parseHostWord, type HostWord } from './host-words.ts';
import type { Session } from './session.ts';
import { trustHostKey } from './trust-host-key.ts';

export type TransportInput = OperationInput<'AddHost'>['Transport'];
type SshInput = Extract<TransportInput, { kind: 'ssh' }>;

/** How a machine is reached; `host add` alone has them. */
export const sshFlags = {
  address: Flags.string({ description: 'address or DNS name, where it is not NAME', helpValue: 'ADDRESS' }),
  port: Flags.string({ description: 'port of its SSH server, 22 by default', helpValue: 'PORT' }),
  identity: Flags.string({
    description: "private key file to log in with, in place of the cloud's own key",
    helpValue: 'FILE',
    exclusive: ['agent'],
  }),
  agent: Flags.boolean({ description: 'log in by the SSH agent of SSH_AUTH_SOCK' }),
  sudo: Flags.boolean({ description: 'run commands there by sudo -n' }),
  jump: Flags.string({ description: 'SSH server to go through', helpValue: '[USER@]HOST[:PORT]' }),
  'jump-fingerprint': Flags.string({
    description: "fingerprint of the jump host's key",
    helpValue: 'SHA256:...',
    dependsOn: ['jump'],
  }),
  fingerprint: Flags.string({ description: "fingerprint of the host's key", helpValue: 'SHA256:...' }),
};

export interface SshFlagValues {
  readonly address?: string | undefined;
  readonly port?: string | undefined;
  readonly identity?: string | undefined;
  readonly agent: boolean;
  readonly sudo: boolean;
  readonly jump?: string | undefined;
  readonly 'jump-fingerprint'?: string | undefined;
  readonly fingerprint?: string | undefined;
}

function portOf(flag: string | undefined): number | undefined {
  if (flag === undefined) return undefined;
  const port = /^\d{1,9}$/.test(flag) ? Number(flag) : 0;
  if (port >= 1 && port <= 65_535) return port;
  throw new CloudError('InvalidParameterValue', `--port must be 1 to 65535, not "${flag}"`);
}

function loginOf(session: Session, flags: SshFlagValues): SshInput['login'] {
  if (flags.identity !== undefined) return { kind: 'file', path: resolve(flags.identity) };
  if (!flags.agent) return { kind: 'cloud' };
  const socket = session.io.env['SSH_AUTH_SOCK'] ?? '';
  if (socket !== '') return { kind: 'agent', socket: resolve(socket) };
  throw new CloudError(
    'InvalidParameterValue',
    '--agent: no agent runs here (SSH_AUTH_SOCK is not set); see ssh-agent(1)',
  );
}

/** What all hosts of one call have in common: checked and asked for once. */
export interface SshCommon {
  readonly login: SshInput['login'];
  readonly sudo: boolean;
  readonly jump?: SshInput['jump'];
  readonly port?: number;
}

export async function sshCommon(session: Session, flags: SshFlagValues): Promise<SshCommon> {
  const port = portOf(flags.port);
  const login = loginOf(session, flags);
  if (flags.fingerprint !== undefined) checkFingerprint(flags.fingerprint, '--fingerprint');
  const said = flags['jump-fingerprint'];
  if (said !== undefined) checkFingerprint(said, '--jump-fingerprint');
  const common = { login, sudo: flags.sudo, ...(port === undefined ? {} : { port }) };
  if (flags.jump === undefined) return common;
  const server = parseHostWord(flags.jump, '--jump');
  const { host, port: jumpPort = 22 } = server;
  const fingerprint = said ?? (await trustHostKey(session, { host, port: jumpPort }, '--jump-fingerprint'));
  return { ...common, jump: { ...server, fingerprint } };
}

/** The transport of one machine, its key trusted by the fingerprint that was said, or by asking. */
export async function sshTransport(
  session: Session,
  word: HostWord,
  common: SshCommon,
  fingerprint: string | undefined,
): Promise<SshInput> {
  const { login, sudo, jump } = common;
  const server = { host: word.host, port: word.port ?? common.port ?? 22 };
  const through = { login, ...(jump === undefined ? {} : { jump }) };
  return {
    kind: 'ssh',
    ...server,
    ...(word.user === undefined ? {} : { user: word.user }),
    ...through,
    sudo,
    fingerprint: fingerprint ?? (await trustHostKey(session, { ...server, ...through }, '--fingerprint')),
  };
}
