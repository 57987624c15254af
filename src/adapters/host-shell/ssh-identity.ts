import { readFile, stat } from 'node:fs/promises';
import { connect } from 'node:net';
import ssh2, { type ConnectConfig } from 'ssh2';
import { errorText, type CloudError } from '../../base/errors.ts';
import { noConnection } from './ssh-problems.ts';
import type { SshIdentity } from './ssh-target.ts';

/** What ssh2 needs to log in, and the public side of it for messages. */
export interface LoadedIdentity {
  readonly method: 'publickey' | 'agent';
  readonly config: Pick<ConnectConfig, 'privateKey' | 'agent'>;
  readonly publicLines: readonly string[];
}

const unusable = (text: string, cause?: unknown): CloudError => noConnection('identity', text, cause);

async function readKeyFile(path: string): Promise<string> {
  try {
    const { mode } = await stat(path);
    if ((mode & 0o077) !== 0) {
      const octal = (mode & 0o777).toString(8).padStart(4, '0');
      throw unusable(`the key ${path} may be read by others (mode ${octal}): chmod 600 ${path}`);
    }
    return await readFile(path, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT')
      throw unusable(`there is no key file ${path}: make one with \`ssh-keygen -t ed25519 -f ${path}\``);
    if (code === 'EACCES') throw unusable(`the key ${path} may not be read by the user that runs novactl`, error);
    throw error;
  }
}

function loadKey(text: string, where: string): LoadedIdentity {
  const key = ssh2.utils.parseKey(text);
  if (key instanceof Error) {
    const advice = /encrypted|passphrase/i.test(key.message)
      ? 'is protected by a passphrase, which nobody is here to give: add it to an agent (ssh-add), or make a key without one'
      : 'is no private key that can be read: OpenSSH or PEM form is expected';
    throw unusable(`${where} ${advice}`);
  }
  if (!key.isPrivateKey()) throw unusable(`${where} is the public half of a key: the private one is needed`);
  const line = `${key.type} ${key.getPublicSSH().toString('base64')}`;
  return { method: 'publickey', config: { privateKey: text }, publicLines: [line] };
}

function agentAnswers(path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect(path);
    socket.once('connect', () => {
      socket.destroy();
      resolve();
    });
    socket.once('error', (error) => {
      const advice = 'start one, `ssh-add` the key, and let SSH_AUTH_SOCK name its socket; or give a key file';
      reject(unusable(`no SSH agent answers at ${path} (${errorText(error)}): ${advice}`, error));
    });
  });
}

async function loadAgent(path: string): Promise<LoadedIdentity> {
  await agentAnswers(path);
  const agent = ssh2.createAgent(path);
  const keys = await new Promise<readonly { type?: string; getPublicSSH?: () => Buffer }[]>((resolve, reject) => {
    agent.getIdentities((error, found) => {
      if (error) reject(unusable(`the SSH agent at ${path} does not list its keys: ${errorText(error)}`, error));
      else resolve((found ?? []) as { type?: string; getPublicSSH?: () => Buffer }[]);
    });
  });
  if (keys.length === 0) throw unusable(`the SSH agent at ${path} holds no key: add one with ssh-add`);
  const lines = keys.map((key) => `${key.type ?? 'key'} ${key.getPublicSSH?.().toString('base64') ?? ''}`.trim());
  return { method: 'agent', config: { agent }, publicLines: lines };
}

/** Reads the key, or asks the agent what it holds. CloudError 'Unavailable' (reason 'identity') that says what to do. */
export function loadIdentity(identity: SshIdentity): Promise<LoadedIdentity> {
  if (identity.kind === 'agent') return loadAgent(identity.socket);
  if ('pem' in identity) return Promise.resolve().then(() => loadKey(identity.pem, 'the key that was given'));
  return readKeyFile(identity.path).then((text) => loadKey(text, `the key ${identity.path}`));
}
