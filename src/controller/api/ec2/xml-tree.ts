import { escapeXml } from '../../../base/xml.ts';

/** What an action answers: an object's names are elements, an array's members are `<item>`, undefined is left out. */
export type XmlTree = string | number | boolean | undefined | readonly XmlTree[] | { readonly [name: string]: XmlTree };

interface Tags {
  readonly open: string;
  readonly close: string;
  readonly empty: string;
}

/** By name: a page of a thousand instances has a hundred thousand elements, and some hundred names. */
const TAGS = new Map<string, Tags>();
/** Names are those of our own trees, which are fewer. */
const TAGS_KEPT = 4096;

function tagsOf(name: string): Tags {
  const known = TAGS.get(name);
  if (known !== undefined) return known;
  const made = { open: `<${name}>`, close: `</${name}>`, empty: `<${name}/>` };
  if (TAGS.size < TAGS_KEPT) TAGS.set(name, made);
  return made;
}

/** One element with what is in it, on one line. */
export function renderElement(name: string, tree: XmlTree, attributes = ''): string {
  if (tree === undefined) return '';
  const inside = renderContent(tree);
  const { open, close, empty } = attributes === '' ? tagsOf(name) : withAttributes(name, attributes);
  return inside === '' ? empty : open + inside + close;
}

function withAttributes(name: string, attributes: string): Tags {
  return { open: `<${name}${attributes}>`, close: `</${name}>`, empty: `<${name}${attributes}/>` };
}

/** Grows one text, which is the cheapest way there is: arrays of parts to be joined cost three times as much. */
function renderContent(tree: Exclude<XmlTree, undefined>): string {
  if (typeof tree === 'string') return escapeXml(tree);
  if (typeof tree === 'number' || typeof tree === 'boolean') return String(tree);
  let inside = '';
  if (isList(tree)) for (const member of tree) inside += renderElement('item', member);
  else for (const name of Object.keys(tree)) inside += renderElement(name, tree[name]);
  return inside;
}

function isList(tree: readonly XmlTree[] | { readonly [name: string]: XmlTree }): tree is readonly XmlTree[] {
  return Array.isArray(tree);
}
