import { isIP } from 'node:net';
import { CloudError } from '../../../base/errors.ts';

/** One etcd server as the configuration names it. */
export interface EtcdEndpoint {
  readonly url: string;
  /** host:port, the host in brackets where it is an IPv6 address. */
  readonly target: string;
  readonly tls: boolean;
}

const isLoopback = (host: string): boolean =>
  host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'));

/** Errors: InvalidParameterValue that says what is wrong with the address. */
export function parseEtcdEndpoint(url: string): EtcdEndpoint {
  const [, scheme = '', written = '', port = ''] =
    /^(https?):\/\/(\[[\da-f:.]+\]|[^/:@\s]+):(\d{1,5})$/i.exec(url) ?? [];
  const host = written.replaceAll(/^\[|\]$/g, '').toLowerCase();
  if (host === '' || Number(port) < 1 || Number(port) > 65_535) {
    throw refuse(`the etcd address ${url} must look like https://etcd1.example.org:2379`);
  }
  const tls = scheme.toLowerCase() === 'https';
  if (!tls && !isLoopback(host)) {
    throw refuse(
      `the etcd address ${url} is plain http, which is for loopback addresses only: use https, and start etcd with --cert-file, --key-file, --trusted-ca-file and --client-cert-auth`,
    );
  }
  if (tls && isIP(host) !== 0) {
    throw refuse(
      `the etcd address ${url} must have a host name, one that is in the server's certificate: TLS by address is not supported`,
    );
  }
  return { url, target: `${written}:${port}`, tls };
}

const refuse = (message: string): CloudError => new CloudError('InvalidParameterValue', message);
