export interface Spread {
  readonly medianMs: number;
  readonly p95Ms: number;
}

/** Times so many calls, one after the other. */
export async function spreadOf(count: number, once: () => Promise<unknown>): Promise<Spread> {
  const times: number[] = [];
  for (let index = 0; index < count; index += 1) {
    const start = performance.now();
    await once();
    times.push(performance.now() - start);
  }
  return { medianMs: quantile(times, 0.5), p95Ms: quantile(times, 0.95) };
}

export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

/** NaN of nothing. */
function quantile(values: readonly number[], part: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? Number.NaN;
}
