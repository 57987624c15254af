import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { createFileBlobs } from '../../../src/adapters/blobs/file-blobs.ts';
import { SystemRandom } from '../../../src/base/random.ts';

/** The bytes of one round, from its number alone. */
function* chunks(round: number): Generator<Buffer> {
  const seed = createHash('sha256').update(String(round)).digest();
  for (let i = 0; i < 1 + (round % 40); i += 1) yield Buffer.alloc(16_384, seed);
}

/** Puts, and now and then deletes, until killed; prints `try` before and `done` after each, with what the key then holds. */
async function main(dir: string, firstRound: number): Promise<void> {
  const blobs = createFileBlobs({ dir, random: new SystemRandom() });
  for (let round = firstRound; ; round += 1) {
    const key = `key/${round % 7}`;
    if (round % 11 === 10) {
      process.stdout.write(`try ${round} ${key} gone\n`);
      await blobs.delete(key);
      process.stdout.write(`done ${round} ${key} gone\n`);
    } else {
      const sha256 = createHash('sha256')
        .update(Buffer.concat([...chunks(round)]))
        .digest('hex');
      process.stdout.write(`try ${round} ${key} ${sha256}\n`);
      await blobs.put(key, Readable.from(chunks(round)));
      process.stdout.write(`done ${round} ${key} ${sha256}\n`);
    }
  }
}

await main(process.argv[2] ?? '', Number(process.argv[3]));
