import { escapeXml } from '../../../base/xml.ts';

/** What an action answers: an object's names are elements, an array's members are `<item>`, undefined is left out. */
export type XmlTree = string | number | boolean | undefined | readonly XmlTree[] | { readonly [name: string]: XmlTree };

/** One element with what is in it, on one line. */
export function renderElement(name: string, tree: XmlTree, attributes = ''): string {
  if (tree === undefined) return '';
  const inside = renderContent(tree);
  return inside === '' ? `<${name}${attributes}/>` : `<${name}${attributes}>${inside}</${name}>`;
}

function renderContent(tree: Exclude<XmlTree, undefined>): string {
  if (typeof tree === 'string') return escapeXml(tree);
  if (typeof tree === 'number' || typeof tree === 'boolean') return String(tree);
  if (isList(tree)) return tree.map((member) => renderElement('item', member)).join('');
  return Object.entries(tree)
    .map(([name, value]) => renderElement(name, value))
    .join('');
}

function isList(tree: readonly XmlTree[] | { readonly [name: string]: XmlTree }): tree is readonly XmlTree[] {
  return Array.isArray(tree);
}
