import { Readable } from 'node:stream';
import { CloudError } from '../../src/base/errors.ts';
import { sha256Hex } from '../../src/base/ids.ts';
import type { BlobInfo, Blobs } from '../../src/ports/blobs.ts';

/** Image bytes that no crash touches; what the store says of them is what is tested. */
export function createMemoryBlobs(): Blobs {
  const held = new Map<string, Buffer>();
  const need = (key: string): Buffer => {
    const bytes = held.get(key);
    if (bytes === undefined) throw new CloudError('NotFound', `no blob ${key}`);
    return bytes;
  };
  const info = (key: string): BlobInfo => {
    const bytes = need(key);
    return { key, sizeBytes: bytes.length, sha256: sha256Hex(bytes) };
  };
  return {
    async put(key, body) {
      const parts: Buffer[] = [];
      for await (const part of body) parts.push(part as Buffer);
      held.set(key, Buffer.concat(parts));
      return info(key);
    },
    head: (key) => Promise.resolve().then(() => info(key)),
    read: (key, { start = 0, end } = {}) =>
      Promise.resolve().then(() => Readable.from([need(key).subarray(start, end)])),
    delete: (key) => Promise.resolve(void held.delete(key)),
    list: (prefix) => Promise.resolve([...held.keys()].filter((key) => key.startsWith(prefix)).map(info)),
  };
}
