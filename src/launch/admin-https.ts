import { hostname } from 'node:os';
import { isIP, isIPv6 } from 'node:net';
import type { Clock, Timer } from '../base/clock.ts';
import { errorText } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import type { Random } from '../base/random.ts';
import { fingerprintOf } from '../base/x509/issue-certificate.ts';
import { AdminHttpsServer } from '../controller/api/admin/admin-https-server.ts';
import { adminAuthenticator } from '../controller/api/signature/authenticator.ts';
import type { S3Door } from '../controller/api/s3/s3-edge.ts';
import type { AllInOne } from './all-in-one.ts';
import type { Config } from './config/schema.ts';
import { parseListen } from './config/listen.ts';
import { secretsDir } from './config/places.ts';
import { certificateNames } from './tls/certificate-names.ts';
import { openAuthority, serverCertificate } from './tls/authority-files.ts';

const LOOK_EVERY_MS = 12 * 3_600_000;

/** Where the configuration says that the admin API listens. */
const listenersOf = ({ api }: Config): { host: string; port: number }[] =>
  api.listen.map((text) => {
    const { host, port } = parseListen(text);
    return { host, port: port ?? api.port };
  });

export interface AdminHttps {
  /** Makes the cloud's authority when there is none, then listens. Answers the addresses, `https://host:port`. */
  start(): Promise<readonly string[]>;
  close(): Promise<void>;
}

/** The admin API over TLS where `api.listen` says so; nowhere by default. */
export function createAdminHttps(
  cloud: Pick<AllInOne, 'context' | 'gateway' | 'blobs'> & { readonly s3?: S3Door },
  parts: { config: Config; clock: Clock; random: Random; logger: Logger },
): AdminHttps {
  const { config, clock, random, logger } = parts;
  const servers: AdminHttpsServer[] = [];
  let timer: Timer | undefined;
  let current: string | undefined;
  const asked = () => ({
    ...{ stateDir: config.stateDir, cloudId: cloud.context.cloudId, random },
    nowMs: clock.nowMs(),
  });
  // Shared by all processes of the cloud; the server's certificate is each one's own.
  const authorityAsked = () => ({ ...asked(), stateDir: secretsDir(config) });
  const certify = async () => {
    const authority = await openAuthority(authorityAsked());
    const certificate = await serverCertificate(asked(), authority, certificateNames(config));
    return { certificate, fingerprint: fingerprintOf(authority.certificate) };
  };
  const renew = (): void => {
    certify().then(
      ({ certificate }) => {
        // Another server of this process may have renewed it.
        if (certificate.certificates === current) return;
        current = certificate.certificates;
        for (const server of servers) server.renew(certificate);
        logger.info('the certificate of the admin API was renewed');
      },
      (error: unknown) => logger.error('the certificate could not be renewed', { error: errorText(error) }),
    );
  };
  return {
    async start() {
      const listeners = listenersOf(config);
      if (listeners.length === 0) {
        await openAuthority(authorityAsked());
        return [];
      }
      const { certificate, fingerprint } = await certify();
      current = certificate.certificates;
      const authenticator = adminAuthenticator(cloud.context);
      const urls: string[] = [];
      for (const listen of listeners) {
        const { gateway, blobs, s3 } = cloud;
        const server = new AdminHttpsServer({
          ...{ gateway, blobs, clock, random, logger, authenticator, certificate, listen },
          ...(s3 === undefined ? {} : { s3 }),
        });
        servers.push(server);
        const port = await server.start();
        urls.push(`https://${isIPv6(listen.host) ? `[${listen.host}]` : listen.host}:${port}`);
      }
      timer = clock.every(LOOK_EVERY_MS, renew, { unref: true });
      logger.info('the admin API listens', { urls, fingerprint });
      return urls;
    },
    async close() {
      timer?.cancel();
      await Promise.all(servers.map((server) => server.close()));
    },
  };
}

/** The address that clients elsewhere use: the first that is no loopback; a listener on every address is known by the machine's name. */
export function publicUrl(config: Config): string | undefined {
  const urls = listenersOf(config).map(({ host, port }) => {
    const name = host === '0.0.0.0' || host === '::' ? (config.api.names[0] ?? hostname()) : host;
    return { name, url: `https://${isIP(name) === 6 ? `[${name}]` : name}:${port}` };
  });
  return (urls.find(({ name }) => !/^(127\.|::1$|localhost$)/.test(name)) ?? urls[0])?.url;
}
