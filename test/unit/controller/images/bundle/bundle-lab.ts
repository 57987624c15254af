import { execFileSync, spawn } from 'node:child_process';
import { createPrivateKey, createPublicKey } from 'node:crypto';
import {
  closeSync,
  createReadStream,
  ftruncateSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { CloudError } from '../../../../../src/base/errors.ts';
import type { BundleKeys } from '../../../../../src/controller/images/bundle/bundle-keys.ts';
import type { ImageObject } from '../../../../../src/ports/image-objects.ts';

const SCRIPT = join(import.meta.dirname, '..', '..', '..', '..', 'support', 'write_bundle.py');

/** What write_bundle.py takes, beside what is the same for all. */
export interface BundleAsked {
  readonly image?: string;
  readonly partBytes?: number;
  readonly tar?: readonly string[];
  readonly archive?: string;
  readonly plain?: boolean;
  readonly manifest?: readonly (readonly [string, string])[];
  readonly after?: readonly (readonly [string, string])[];
  readonly size?: number;
  readonly digest?: string;
  readonly userKey?: string;
  readonly ec2Cert?: string;
}

export function openssl(...args: string[]): void {
  execFileSync('/usr/bin/openssl', args, { stdio: 'pipe' });
}

/** A folder with the keys of a cloud, of a user and of another user, all made by openssl, and a bucket that bundles are written into. */
export class BundleLab {
  readonly dir: string;
  readonly bucket: string;
  /** How often an object was opened, and what is open still. */
  opened = 0;
  readonly reading = new Set<string>();
  /** Of the archive in the last bundle. */
  archiveBytes = 0;
  /** One for all, since starting programs is what takes time. */
  readonly #writer = spawn('/usr/bin/python3', [SCRIPT], { stdio: ['pipe', 'pipe', 'inherit'] });
  readonly #answers = createInterface(this.#writer.stdout)[Symbol.asyncIterator]();

  constructor(dir: string) {
    this.dir = dir;
    this.bucket = join(dir, 'bucket');
    mkdirSync(join(this.bucket, 'images'), { recursive: true });
    for (const [name, bits] of [
      ['cloud', 2048],
      ['other-cloud', 2048],
      ['user', 3072],
      ['other-user', 3072],
    ] as const) {
      const [key, cert] = [this.path(`${name}.key`), this.path(`${name}.pem`)];
      openssl('req', '-x509', '-newkey', `rsa:${bits}`, '-nodes', '-keyout', key, '-out', cert, '-subj', `/CN=${name}`);
    }
  }

  path(name: string): string {
    return join(this.dir, name);
  }

  /** Writes a bundle; answers the key of its manifest. */
  async write(asked: BundleAsked = {}): Promise<string> {
    const all = {
      ...{ folder: join(this.bucket, 'images'), image: '', name: 'disk.img' },
      ...{ userKey: this.path('user.key'), userCert: this.path('user.pem'), ec2Cert: this.path('cloud.pem') },
      ...asked,
    };
    this.#writer.stdin.write(`${JSON.stringify(all)}\n`);
    const { value } = await this.#answers.next();
    if (value === undefined) throw new Error('write_bundle.py has ended; it says why above');
    this.archiveBytes = Number(value);
    return 'images/disk.img.manifest.xml';
  }

  close(): void {
    this.#writer.stdin.end();
    rmSync(this.dir, { recursive: true });
  }

  keys({ cloud = 'cloud', users = ['user'] }: { cloud?: string; users?: readonly string[] } = {}): BundleKeys {
    return {
      privateKey: createPrivateKey(readFileSync(this.path(`${cloud}.key`))),
      signers: users.map((name) => createPublicKey(readFileSync(this.path(`${name}.pem`)))),
      userName: 'anna',
    };
  }

  /** Objects are files: a key that leads out of the bucket is a failure of the test. */
  readonly objects = async (key: string): Promise<ImageObject> => {
    if (key.split('/').includes('..') || key.startsWith('/')) throw new Error(`asked for ${key}`);
    this.opened += 1;
    const path = join(this.bucket, key);
    const file = await stat(path).catch(() => undefined);
    if (file === undefined) throw new CloudError('NoSuchKey', `no ${key}`);
    const read: ImageObject['read'] = () => {
      const body = createReadStream(path);
      this.reading.add(key);
      body.once('close', () => this.reading.delete(key));
      return Promise.resolve(body);
    };
    return { sizeBytes: file.size, etag: 'x', read };
  };

  /** Bytes that do not repeat, with holes between them. */
  image(name: string, bytes: number, pieces: readonly number[]): Buffer {
    const image = Buffer.alloc(bytes);
    const file = openSync(this.path(name), 'w');
    ftruncateSync(file, bytes);
    let state = 1;
    for (const at of pieces) {
      for (let index = 0; index < 5000 && at + index < bytes; index += 1) {
        state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fff_ffff;
        image[at + index] = state >> 16;
      }
      writeSync(file, image, at, Math.min(5000, bytes - at), at);
    }
    closeSync(file);
    return image;
  }
}
