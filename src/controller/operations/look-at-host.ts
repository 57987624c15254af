import { CloudError } from '../../base/errors.ts';
import { sshFingerprint } from '../../base/openssh-key.ts';
import { CloudKeyMessage, HostChecks } from '../../messages/worker.ts';
import { anyWorker, askWorker, workerOf } from '../hosts/ask-worker.ts';
import { findHost } from '../hosts/find-host.ts';
import { fetchKey, pinJump, pinTransport } from '../hosts/pin-transport.ts';
import type { ReadHandler } from './handler.ts';
import { badParameter } from './handler.ts';

const KEY_TIMEOUT_MS = 15_000;
/** It boots a guest, under software emulation perhaps. */
const CHECK_TIMEOUT_MS = 100_000;

const exactlyOne = (one: string, other: string): CloudError =>
  new CloudError('InvalidParameterCombination', `one of ${one} and ${other} is needed, and not both`);

export const getHostKey: ReadHandler<'GetHostKey'> = async ({ cloud }, { Host, Server }) => {
  if ((Host === undefined) === (Server === undefined)) throw exactlyOne('Host', 'Server');
  if (Server !== undefined) {
    const workerId = anyWorker(cloud);
    const { jump: via, login, ...query } = Server;
    const jump = via === undefined ? undefined : { server: await pinJump(cloud, workerId, via), login };
    return fetchKey(cloud, workerId, { ...query, jump });
  }
  const { id, name, transport } = findHost(cloud.store, Host ?? '', 'Host');
  if (transport.kind !== 'ssh')
    throw badParameter('Host', `${name} is not reached over SSH, so it has no host key here`);
  const { host, port, hostKey, login, jump } = transport;
  const via = jump === undefined ? undefined : { server: jump, login };
  const key = await fetchKey(cloud, workerOf(cloud, id), { host, port, jump: via });
  return { ...key, pinned: sshFingerprint(hostKey.base64) };
};

export const getCloudKey: ReadHandler<'GetCloudKey'> = async ({ cloud }) =>
  CloudKeyMessage.parse(await askWorker(cloud, anyWorker(cloud), 'cloud-key', {}, KEY_TIMEOUT_MS));

export const checkHost: ReadHandler<'CheckHost'> = async ({ cloud }, { Host, Transport }) => {
  if ((Host === undefined) === (Transport === undefined)) throw exactlyOne('Host', 'Transport');
  const { cloudId, policy } = cloud;
  const known = Host === undefined ? undefined : findHost(cloud.store, Host, 'Host');
  if (Transport?.kind === 'simulated') throw badParameter('Transport', 'there is nothing to check on a simulated host');
  const workerId = known === undefined ? anyWorker(cloud) : workerOf(cloud, known.id);
  const transport =
    known?.transport ?? (Transport === undefined ? undefined : await pinTransport(cloud, workerId, Transport));
  const body = { transport, cloudId, fixedRange: policy.fixedRange };
  const { checks } = HostChecks.parse(await askWorker(cloud, workerId, 'host-check', body, CHECK_TIMEOUT_MS));
  return { checks, ok: checks.every(({ result }) => result !== 'fail') };
};
