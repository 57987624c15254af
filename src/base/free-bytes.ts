import { statfs } from 'node:fs/promises';

/** Bytes that the file system of a folder still takes from who is not root. */
export async function freeBytes(dir: string): Promise<number> {
  const { bavail, bsize } = await statfs(dir);
  return bavail * bsize;
}
