import { setTimeout as sleep } from 'node:timers/promises';

/** Polls until the condition gives something true, and returns that; throws what it waited for at the deadline. */
export async function until<T>(
  condition: () => T | Promise<T>,
  options: { what: string | (() => string); timeoutMs?: number; everyMs?: number },
): Promise<Exclude<T, undefined | null | false>> {
  const { what, timeoutMs = 30_000, everyMs = 25 } = options;
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const value = await condition();
    if (value !== undefined && value !== false && value !== null) return value as Exclude<T, undefined | null | false>;
    if (performance.now() > deadline) {
      throw new Error(`waited ${timeoutMs} ms in vain until ${typeof what === 'string' ? what : what()}`);
    }
    await sleep(everyMs);
  }
}
