import { open, type FileHandle } from 'node:fs/promises';
import { badImage } from '../../domain/qcow2-header.ts';
import { MIN_GRAIN_SECTOR, type VmdkFacts } from '../../domain/vmdk-header.ts';

const SECTOR = 512;
const ENTRY_BYTES = 4;
/** Directory entries that are read at a time. */
const AT_ONCE = 4096;

async function entriesAt(file: FileHandle, at: number, count: number): Promise<number[]> {
  const buffer = Buffer.alloc(count * ENTRY_BYTES);
  const { bytesRead } = await file.read(buffer, 0, buffer.length, at);
  if (bytesRead < buffer.length) throw badImage('the VMDK image is refused: its grain tables are cut off');
  return Array.from({ length: count }, (_, index) => buffer.readUInt32LE(index * ENTRY_BYTES));
}

/**
 * That all grains of a VMDK are wholly in the file: QEMU reads zeros where an uncompressed one is cut off. (A compressed one that is cut off it can't unpack.)
 * CloudError 'InvalidImage.Format'.
 */
export async function checkGrains(path: string, vmdk: VmdkFacts, signal: AbortSignal): Promise<void> {
  if (vmdk.isCompressed) return;
  const { virtualSizeBytes, grainBytes, tableEntries, directoryAtBytes } = vmdk;
  const grains = Math.ceil(virtualSizeBytes / grainBytes);
  const tables = Math.ceil(grains / tableEntries);
  const file = await open(path, 'r');
  try {
    const { size } = await file.stat();
    for (let from = 0; from < tables; from += AT_ONCE) {
      const count = Math.min(AT_ONCE, tables - from);
      const places = await entriesAt(file, directoryAtBytes + from * ENTRY_BYTES, count);
      for (const [index, place] of places.entries()) {
        signal.throwIfAborted();
        if (place === 0) continue;
        const first = (from + index) * tableEntries;
        const inTable = await entriesAt(file, place * SECTOR, Math.min(tableEntries, grains - first));
        const isCut = inTable.some((sector, grain) => {
          // The last grain of a disk may be short.
          const bytes = Math.min(grainBytes, virtualSizeBytes - (first + grain) * grainBytes);
          return sector >= MIN_GRAIN_SECTOR && sector * SECTOR + bytes > size;
        });
        if (isCut) throw badImage('the VMDK image is refused: it has grains behind the end of the file (cut off?)');
      }
    }
  } finally {
    await file.close();
  }
}
