import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { CANARY_DIR_VARIABLE } from '../../support/canary-watch.ts';
import { filesThatHold, type FileHit, type Secret } from './canary-search.ts';
import type { LabCloud } from './lab-cloud.ts';
import type { NamespaceHost } from './namespace-host.ts';

/** Where a secret may be, and which: for its owner alone (no bit for others is ever right). What is read here is what SECURITY.md says. */
const KEPT: readonly (readonly [where: RegExp, secrets: RegExp])[] = [
  [/^cloud:state\/(journal[^/]*|replica[^/]*)$/, /^user data/],
  [/^cloud:state\/ssh\/id_ed25519$/, /^cloud's SSH key$/],
  [/^cloud:state\/seal\.key$/, /^seal key$/],
  [/^cloud:state\/tls\/ca\.key$/, /^authority's key$/],
  [/^cloud:state\/tls\/server\.key$/, /^server's key$/],
  [/^cloud:[^:]*\.novactl$/, /^(cloud's SSH key|seal key|authority's key|server's key)$/],
  [/^cloud:config\/novactl\/contexts\.yaml$/, /^access key/],
  [/^cloud:config\/novactl\/keys\/mine\.pem$/, /^key pair$/],
  [/^h\d:var\/lib\/novactl-host\/instances\/i-[0-9a-f]{17}\/seed\.iso$/, /^user data/],
  // What was given as an image and is none: kept for a day, then `maintain collect` takes it away.
  [/^cloud:state\/blobs\/data\/[0-9a-f]{32}$/, /^login key$/],
  // What the users of this test wrote themselves.
  [/^cloud:mine\//, /./],
];

/** Folders of a host, file system by file system. */
const OF_HOST = [
  ...['etc', 'etc/libvirt', 'etc/ssh', 'root', 'home/operator', 'tmp', 'run', 'dev/shm', 'var/tmp'],
  ...['var/log', 'var/log/libvirt', 'var/lib/libvirt', 'var/lib/novactl-host', 'var/cache'],
];
const OF_MACHINE = ['/tmp', '/run', '/etc', '/var/log', '/var/tmp', '/dev/shm', '/root'];

/** A host's file system as this machine sees it. */
function rootOf(host: NamespaceHost): string {
  const [init = ''] = readFileSync(join(host.onDisk('.'), '..', 'init'), 'utf8').split(' ');
  return `/proc/${init}/root`;
}

/**
 * Files of the cloud's folder, of its hosts and of this machine, changed since `stamp` was, that hold a secret; paths are `cloud:PATH`, `h1:PATH` or
 * absolute. Records in a backup are packed, and are not seen here.
 */
export async function searchCloud(system: LabCloud, stamp: string, secrets: readonly Secret[]): Promise<FileHit[]> {
  const roots: [string, string][] = [
    [system.cloud.dir, 'cloud'],
    ...system.lab.hosts.map((host): [string, string] => [rootOf(host), host.name]),
  ];
  const ofHosts = roots.slice(1).flatMap(([root]) => OF_HOST.map((path) => `${root}/${path}`));
  const folders = [system.cloud.dir, ...OF_MACHINE, ...ofHosts].filter((path) => existsSync(path));
  // What the whole run keeps to look for is no finding.
  const kept = process.env[CANARY_DIR_VARIABLE];
  const hits = (await filesThatHold(folders, stamp, secrets)).filter(
    ({ path }) => kept === undefined || !path.startsWith(`${kept}/`),
  );
  return hits.map((hit) => {
    const [root, name] = roots.find(([folder]) => hit.path.startsWith(`${folder}/`)) ?? ['', ''];
    return { ...hit, path: root === '' ? hit.path : `${name}:${hit.path.slice(root.length + 1)}` };
  });
}

/** Files that others may read, or that hold what does not belong there. */
export function misplaced(hits: readonly FileHit[]): FileHit[] {
  return hits.filter(({ path, mode, secrets }) => {
    const rules = KEPT.filter(([where]) => where.test(path));
    return (mode & 0o077) !== 0 || secrets.some((name) => !rules.some(([, which]) => which.test(name)));
  });
}
