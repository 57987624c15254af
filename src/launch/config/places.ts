import { join } from 'node:path';
import type { Config } from './schema.ts';

/** The folder of what all processes of the cloud share: seal key, SSH key, authority. */
export const secretsDir = ({ secretsDir, stateDir }: Pick<Config, 'secretsDir' | 'stateDir'>): string =>
  secretsDir || stateDir;

/** The folder of image bytes. */
export const blobsDir = ({ blobs, stateDir }: Pick<Config, 'blobs' | 'stateDir'>): string =>
  blobs.dir || join(stateDir, 'blobs');

/** The folder in which images are made: of this process alone. */
export const importsDir = ({ stateDir }: Pick<Config, 'stateDir'>): string => join(stateDir, 'imports');

/** The folder of S3's objects. */
export const objectsDir = ({ objectstore, stateDir }: Pick<Config, 'objectstore' | 'stateDir'>): string =>
  objectstore.dir || join(stateDir, 'objects');

/** The folder of the copy that a process keeps of etcd. */
export const replicaDir = ({ stateDir }: Pick<Config, 'stateDir'>): string => join(stateDir, 'replica');

/** The cloud's own key pair for logins on hosts: the private half. */
export const cloudKeyPath = (config: Pick<Config, 'secretsDir' | 'stateDir'>): string =>
  join(secretsDir(config), 'ssh', 'id_ed25519');
