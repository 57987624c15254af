/** Edits (insert, remove, replace, swap of neighbours) that turn a into b. */
function distance(a: string, b: string): number {
  const width = b.length + 1;
  let before: number[] = [];
  let last = Array.from({ length: width }, (_, j) => j);
  for (let i = 1; i <= a.length; i += 1) {
    const row = [i];
    for (let j = 1; j < width; j += 1) {
      const same = a[i - 1] === b[j - 1];
      let best = Math.min((last[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1, (last[j - 1] ?? 0) + (same ? 0 : 1));
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      if (swapped) best = Math.min(best, (before[j - 2] ?? 0) + 1);
      row.push(best);
    }
    before = last;
    last = row;
  }
  return last[width - 1] ?? 0;
}

/** The candidate that a mistyped word most likely meant; undefined when none is near (more than a third of the word differs). */
export function nearest(word: string, candidates: readonly string[]): string | undefined {
  const lower = word.toLowerCase();
  let best: { text: string; edits: number } | undefined;
  for (const text of candidates) {
    const edits = distance(lower, text.toLowerCase());
    if (best === undefined || edits < best.edits) best = { text, edits };
  }
  const allowed = Math.max(1, Math.floor(word.length / 3));
  return best !== undefined && best.edits <= allowed ? best.text : undefined;
}
