import { z } from 'zod';
import { isoTime } from '../base/clock.ts';

/** What ails the objects, as one process sees it. */
export const ObjectsTrouble = z.object({ text: z.string(), sinceMs: z.number().optional() });
export type ObjectsTrouble = z.output<typeof ObjectsTrouble>;

export function objectsTroubleText({ text, sinceMs }: ObjectsTrouble): string {
  return `objects: ${text}${sinceMs === undefined ? '' : ` (since ${isoTime(sinceMs)})`}`;
}
