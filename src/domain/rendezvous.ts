/** FNV-1a, then mixed (murmur3's finaliser): near keys get far values. */
function score(text: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index += 1) {
    hash ^= text.charCodeAt(index);
    hash = Math.imul(hash, 0x01000193);
  }
  hash ^= hash >>> 16;
  hash = Math.imul(hash, 0x85ebca6b);
  hash ^= hash >>> 13;
  hash = Math.imul(hash, 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

/**
 * Which of the candidates a key belongs to (highest random weight): everybody who knows the same candidates says the same, keys spread evenly, and when a
 * candidate goes only its own keys move. Undefined: there is no candidate.
 */
export function rendezvous(candidates: Iterable<string>, key: string): string | undefined {
  let best: string | undefined;
  let bestScore = -1;
  for (const candidate of candidates) {
    const own = score(`${candidate}\n${key}`);
    if (own < bestScore || (own === bestScore && best !== undefined && candidate > best)) continue;
    best = candidate;
    bestScore = own;
  }
  return best;
}
