import { readFileSync } from 'node:fs';
import { CloudError, errorText } from '../../base/errors.ts';
import type { Io } from './io.ts';
import { stdinPieces } from './stdin.ts';

/** EC2 takes no more, before base64. */
const LIMIT_BYTES = 16_384;

export async function readStdin(io: Io): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of stdinPieces(io)) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks);
}

/** A file that a flag names, or stdin for `-`. */
export async function readInput(io: Io, flag: string, path: string): Promise<Buffer> {
  if (path === '-') return readStdin(io);
  try {
    return readFileSync(path);
  } catch (error) {
    throw new CloudError('InvalidParameterValue', `${flag}: ${errorText(error)}`, { cause: error });
  }
}

/** Base64 of text as given, of @FILE, or of stdin for `-`. */
export async function userData(io: Io, text: string): Promise<string> {
  const fromFile = text === '-' || text.startsWith('@');
  const bytes = fromFile
    ? await readInput(io, '--user-data', text === '-' ? '-' : text.slice(1))
    : Buffer.from(text, 'utf8');
  if (bytes.length > LIMIT_BYTES) {
    throw new CloudError(
      'InvalidParameterValue',
      `--user-data must be at most ${LIMIT_BYTES} bytes, not ${bytes.length}`,
    );
  }
  return bytes.toString('base64');
}
