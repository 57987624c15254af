import { escapeXml } from '../../../base/xml.ts';

/**
 * What an answer holds: an object's names are elements, a name that begins with `@` is an attribute; an array is that many elements of its name, one behind the
 * other, and under the name '' what its objects hold, in their order; undefined is left out.
 */
export type S3Tree = string | number | boolean | undefined | readonly S3Tree[] | { readonly [name: string]: S3Tree };

export const S3_NAMESPACE = 'http://s3.amazonaws.com/doc/2006-03-01/';
const DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>\n';

function element(name: string, tree: S3Tree, attributes = ''): string {
  if (tree === undefined) return '';
  if (isList(tree)) return tree.map((member) => element(name, member, attributes)).join('');
  if (typeof tree !== 'object') return wrapped(name, attributes, escapeXml(String(tree)));
  let told = attributes;
  let inside = '';
  for (const [child, value] of Object.entries(tree)) {
    if (child.startsWith('@')) told += ` ${child.slice(1)}="${escapeXml(String(value))}"`;
    else inside += element(child, value);
  }
  return wrapped(name, told, inside);
}

function wrapped(name: string, attributes: string, inside: string): string {
  return name === '' ? inside : `<${name}${attributes}>${inside}</${name}>`;
}

function isList(tree: S3Tree): tree is readonly S3Tree[] {
  return Array.isArray(tree);
}

/** A whole document. Empty elements are written out: some clients of S3 take `<Prefix/>` for absent. */
export function s3Document(name: string, tree: S3Tree): string {
  return DECLARATION + element(name, tree, ` xmlns="${S3_NAMESPACE}"`);
}

/** An error's document has no namespace. */
export function s3ErrorDocument(tree: S3Tree): string {
  return DECLARATION + element('Error', tree);
}
