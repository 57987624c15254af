import { hostname, networkInterfaces } from 'node:os';
import type { Config } from '../config/schema.ts';
import { parseListen } from '../config/listen.ts';

/** Interfaces whose addresses come and go with instances, or reach nobody else. */
const INNER_INTERFACE = /^(lo|nvb|nvt|virbr|vnet|docker|veth)/;

function outerAddresses(): string[] {
  return Object.entries(networkInterfaces()).flatMap(([name, addresses = []]) =>
    INNER_INTERFACE.test(name)
      ? []
      : addresses.filter((one) => !one.address.startsWith('fe80')).map((one) => one.address),
  );
}

/** Buckets are names below these. */
const bucketNames = ({ domains }: Config['objectstore']): string[] =>
  domains.flatMap((domain) => [domain, `*.${domain}`]);

/** What this process's certificate is for: every name by which clients of the admin API, of EC2 and of S3 may come. */
export function certificateNames({ api, ec2, objectstore }: Config): string[] {
  const hosts = [...api.listen, ...ec2.listen, ...objectstore.listen].map((text) => parseListen(text).host);
  const everywhere = hosts.some((host) => host === '0.0.0.0' || host === '::');
  const named = hosts.filter((host) => host !== '0.0.0.0' && host !== '::');
  const own = /^[A-Za-z0-9]([A-Za-z0-9.-]{0,252})$/.test(hostname()) ? [hostname().toLowerCase()] : [];
  const all = ['localhost', '127.0.0.1', '::1', ...own, ...named, ...api.names, ...bucketNames(objectstore)];
  return [...new Set(everywhere ? [...all, ...outerAddresses()] : all)];
}
