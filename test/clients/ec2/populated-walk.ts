import type { XmlElement } from '../../../src/base/xml.ts';

/** What must be there; null: anything that is not empty. */
export interface Wanted {
  readonly [name: string]: Wanted | null;
}

/** `a b{c d} e{}` as a tree. */
export function wantedOf(text: string): Wanted {
  const words = text.match(/[A-Za-z0-9]+|[{}]/g) ?? [];
  let at = 0;
  const read = (): Wanted => {
    const found: Record<string, Wanted | null> = {};
    while (at < words.length && words[at] !== '}') {
      const name = words[at] ?? '';
      at += 1;
      if (words[at] !== '{') {
        found[name] = null;
        continue;
      }
      at += 1;
      found[name] = read();
      at += 1;
    }
    return found;
  };
  return read();
}

/** What is wanted and in none of the answers. */
export function missingOf(wanted: Wanted, answers: readonly XmlElement[], path: string): string[] {
  return Object.entries(wanted).flatMap(([name, inner]) => {
    const at = `${path}.${name}`;
    const found = answers.flatMap(inside).filter((element) => element.name === name);
    if (found.length === 0) return [`${at}: is not there`];
    if (inner === null) return found.some((one) => !isEmpty(one)) ? [] : [`${at}: is empty`];
    if (Object.keys(inner).length > 0) return missingOf(inner, found, at);
    return found.every(isEmpty) ? [] : [`${at}: must be empty`];
  });
}

/** Its members; those of its items, if it is a list. */
const inside = ({ children }: XmlElement): readonly XmlElement[] =>
  children.flatMap((child) => (child.name === 'item' ? child.children : [child]));

const isEmpty = ({ children, text }: XmlElement): boolean => children.length === 0 && text === '';
