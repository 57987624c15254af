import { createReadStream, statSync } from 'node:fs';
import { Readable } from 'node:stream';
import type { UploadedBlob } from '../../client/cloud-client.ts';
import { progressText } from '../../views/progress.ts';
import { fileProblem } from './file-problem.ts';
import type { Session } from './session.ts';
import { stdinPieces } from './stdin.ts';

/** Bars are drawn at most this often. */
const REDRAW_MS = 100;

function openFile(path: string): { body: Readable; sizeBytes: number } {
  try {
    const stat = statSync(path);
    if (!stat.isFile()) throw new Error(`${path} is not a file`);
    return { body: createReadStream(path, { highWaterMark: 1_048_576 }), sizeBytes: stat.size };
  } catch (error) {
    throw fileProblem(path, error);
  }
}

/** Sends a file, or stdin for `-`, with a bar on a terminal. */
export async function uploadFile(session: Session, path: string, label: string): Promise<UploadedBlob> {
  const { io, output } = session;
  const client = await session.client();
  const stdin = (): Readable => Readable.from(stdinPieces(io), { objectMode: false });
  const { body, sizeBytes } = path === '-' ? { body: stdin(), sizeBytes: undefined } : openFile(path);
  const startMs = io.clock.monotonicMs();
  let drawnMs = Number.NEGATIVE_INFINITY;
  const onProgress = (sentBytes: number): void => {
    const nowMs = io.clock.monotonicMs();
    if (nowMs - drawnMs < REDRAW_MS) return;
    drawnMs = nowMs;
    output.progress(
      progressText({ label, sentBytes, sizeBytes, tookMs: nowMs - startMs, width: io.stderr.columns ?? 80 }),
    );
  };
  try {
    return await client.upload(body, { sizeBytes, onProgress, signal: io.signal });
  } finally {
    output.progress('');
  }
}
