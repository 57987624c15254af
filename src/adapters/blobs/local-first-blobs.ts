import { CloudError, isCode } from '../../base/errors.ts';
import type { Blobs } from '../../ports/blobs.ts';

/**
 * Blobs at an endpoint, with those that a cloud had in a folder before: what is there is read there, what comes goes to the endpoint. A local one is looked for first:
 * keys are never used twice, and it is there when the endpoint is not.
 */
export function withLocalBlobs(there: Blobs & Required<Pick<Blobs, 'presign'>>, local: Blobs): typeof there {
  const isLocal = async (key: string): Promise<boolean> => {
    try {
      await local.head(key);
      return true;
    } catch (error) {
      if (isCode(error, 'NotFound')) return false;
      throw error;
    }
  };
  const where = async (key: string): Promise<Blobs> => ((await isLocal(key)) ? local : there);
  return {
    put: async (key, body, options) => {
      const stored = await there.put(key, body, options);
      if (await isLocal(key)) await local.delete(key);
      return stored;
    },
    head: async (key) => (await where(key)).head(key),
    read: async (key, range) => (await where(key)).read(key, range),
    delete: async (key) => {
      await there.delete(key);
      if (await isLocal(key)) await local.delete(key);
    },
    list: async (prefix) => {
      const here = await local.list(prefix);
      const keys = new Set(here.map(({ key }) => key));
      const all = [...here, ...(await there.list(prefix)).filter(({ key }) => !keys.has(key))];
      return all.sort((a, b) => (a.key < b.key ? -1 : 1));
    },
    presign: async (key, expiresS) => {
      if (!(await isLocal(key))) return there.presign(key, expiresS);
      throw new CloudError('UnsupportedOperation', `${key} is in a local folder, and has no URL`, { details: { key } });
    },
  };
}
