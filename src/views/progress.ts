import { humanBytes, humanDuration } from '../base/units.ts';
import { cutText } from './text.ts';

export interface Progress {
  readonly label: string;
  readonly sentBytes: number;
  /** There already when this began; not counted into the speed. */
  readonly beforeBytes?: number;
  /** Undefined: nobody knows how much will come. */
  readonly sizeBytes: number | undefined;
  readonly tookMs: number;
  readonly width: number;
}

/** One line: what, a bar, how much of how much, how fast, how long still. */
export function progressText({ label, sentBytes, beforeBytes = 0, sizeBytes, tookMs, width }: Progress): string {
  const doneBytes = beforeBytes + sentBytes;
  const perMs = tookMs > 0 ? sentBytes / tookMs : 0;
  const speed = `${humanBytes(perMs * 1000)}/s`;
  if (sizeBytes === undefined) return cutText(`${label}  ${humanBytes(doneBytes)}  ${speed}`, width - 1, '');
  const share = sizeBytes === 0 ? 1 : Math.min(1, doneBytes / sizeBytes);
  const left = perMs > 0 ? `  ${humanDuration((sizeBytes - doneBytes) / perMs)} left` : '';
  const tail = `${Math.floor(share * 100)} %  ${humanBytes(doneBytes)}/${humanBytes(sizeBytes)}  ${speed}${left}`;
  const cells = Math.max(0, Math.min(30, width - label.length - tail.length - 7));
  const done = Math.round(cells * share);
  const bar = cells < 5 ? '' : `[${'#'.repeat(done)}${'-'.repeat(cells - done)}]  `;
  return cutText(`${label}  ${bar}${tail}`, width - 1, '');
}
