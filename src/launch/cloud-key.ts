import { existsSync } from 'node:fs';
import { mkdir, readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { CloudError } from '../base/errors.ts';
import { writeDurably } from '../base/durable-file.ts';
import { generateSshKeyPair, parseSshPublicKey } from '../base/openssh-key.ts';
import type { Random } from '../base/random.ts';
import { randomHex } from '../base/random.ts';

const publicPath = (path: string): string => `${path}.pub`;

function parsed(path: string, text: string): string {
  const key = parseSshPublicKey(text);
  if (key !== undefined) return key.line;
  throw new CloudError(
    'CorruptState',
    `${path} is no OpenSSH public key; make it again by: ssh-keygen -y -f ${path.replace(/\.pub$/, '')} > ${path}`,
  );
}

/**
 * The cloud's own key pair for logins on hosts: `path` (0600) and `path`.pub, made at the first use. Answers the public line. One process has the
 * state folder, so nobody makes another at the same time; the public half comes first, so that a private key never stands without one.
 */
export class CloudKey {
  readonly path: string;
  readonly #random: Random;
  #ready: Promise<string> | undefined;

  readonly #mayMake: boolean;

  /** `mayMake` false: one that is missing is copied here by the administrator. */
  constructor(path: string, random: Random, { mayMake = true } = {}) {
    this.path = path;
    this.#random = random;
    this.#mayMake = mayMake;
  }

  /** The public line, `ssh-ed25519 AAAA... novactl`. */
  publicLine(): Promise<string> {
    this.#ready ??= this.#ensure().catch((error: unknown) => {
      this.#ready = undefined;
      throw error;
    });
    return this.#ready;
  }

  async #ensure(): Promise<string> {
    if (existsSync(this.path))
      return parsed(publicPath(this.path), await readFile(publicPath(this.path), 'utf8').catch(() => ''));
    if (!this.#mayMake) {
      throw new CloudError(
        'Unavailable',
        `${this.path} is missing: copy it, and ${publicPath(this.path)}, from the folder of secrets (secretsDir) of a controller of this cloud`,
      );
    }
    await mkdir(dirname(this.path), { recursive: true, mode: 0o700 });
    const pair = generateSshKeyPair('ed25519', 'novactl');
    await this.#write(publicPath(this.path), `${pair.publicKey}\n`, 0o644);
    await this.#write(this.path, pair.privateKey, 0o600);
    return pair.publicKey;
  }

  #write(path: string, text: string, mode: number): Promise<void> {
    return writeDurably(path, [Buffer.from(text)], { mode, tmpPath: `${path}.${randomHex(this.#random, 8)}.tmp` });
  }
}
