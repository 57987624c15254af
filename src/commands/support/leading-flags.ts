/** The global flags that take a value; `flags.ts` has them all, but loads what a command's name does not need. */
export const VALUE_FLAGS: readonly string[] = [
  '-o',
  '--output',
  '--reason',
  '--config',
  '--context',
  '--project',
  '--set',
];

/**
 * `novactl --context prod instance list` is `novactl instance list --context prod`: flags that stand before the command go behind its words, but before
 * a `--`.
 */
export function leadingFlagsLast(argv: readonly string[]): string[] {
  let at = 0;
  while (argv[at]?.startsWith('-') === true && argv[at] !== '--') at += VALUE_FLAGS.includes(argv[at] ?? '') ? 2 : 1;
  const words = argv.slice(at);
  if (at === 0 || words.length === 0) return [...argv];
  const end = words.indexOf('--');
  const cut = end < 0 ? words.length : end;
  return [...words.slice(0, cut), ...argv.slice(0, at), ...words.slice(cut)];
}
