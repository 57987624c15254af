import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { objectStoreContract } from '../../../contract/object-store.ts';
import { newDir, openAt } from './open-objects.ts';

objectStoreContract('files and SQLite [real]', async () => {
  const dir = await newDir();
  const store = await openAt(join(dir, 'objects'));
  return {
    store,
    close: async () => {
      await store.close();
      await rm(dir, { recursive: true });
    },
  };
});
