import type { HostTransport, SshLogin, SshServer } from '../../domain/records.ts';
import type { HostTransportInput } from '../../messages/operations/host-transport.ts';
import { HostKeyMessage } from '../../messages/worker.ts';
import type { ControllerContext } from '../controller-context.ts';
import { askWorker } from './ask-worker.ts';

/** Up to three connections, through a jump host perhaps. */
const KEY_TIMEOUT_MS = 60_000;

type Cloud = Pick<ControllerContext, 'bus'>;

export interface KeyQuery {
  readonly host: string;
  readonly port: number;
  readonly fingerprint?: string | undefined;
  readonly jump?: { readonly server: SshServer; readonly login: SshLogin } | undefined;
}

/** The key by which a machine answers. */
export async function fetchKey(cloud: Cloud, workerId: string, query: KeyQuery): Promise<HostKeyMessageOut> {
  return HostKeyMessage.parse(await askWorker(cloud, workerId, 'host-key', query, KEY_TIMEOUT_MS));
}

type HostKeyMessageOut = ReturnType<typeof HostKeyMessage.parse>;
type Jump = NonNullable<Extract<HostTransportInput, { kind: 'ssh' }>['jump']>;

/** The jump host with its whole key: it must be the one whose fingerprint was told. */
export async function pinJump(cloud: Cloud, workerId: string, jump: Jump): Promise<SshServer> {
  const { fingerprint, ...server } = jump;
  const { type, base64 } = await fetchKey(cloud, workerId, { host: jump.host, port: jump.port, fingerprint });
  return { ...server, hostKey: { type, base64 } };
}

/**
 * What is recorded of a transport: with the whole key of the host that has the fingerprint that was told. CloudError 'Unavailable' when it does not answer, or
 * answers with another key (details.reason 'host-key').
 */
export async function pinTransport(cloud: Cloud, workerId: string, input: HostTransportInput): Promise<HostTransport> {
  if (input.kind !== 'ssh') return input;
  const { fingerprint, jump: via, ...rest } = input;
  const jump = via === undefined ? undefined : await pinJump(cloud, workerId, via);
  const { type, base64 } = await fetchKey(cloud, workerId, {
    ...{ host: rest.host, port: rest.port, fingerprint },
    ...(jump === undefined ? {} : { jump: { server: jump, login: rest.login } }),
  });
  return { ...rest, hostKey: { type, base64 }, ...(jump === undefined ? {} : { jump }) };
}
