import { escapeXml } from '../../../base/xml.ts';

/** What an answer holds: an object's names are elements; an array is that many elements of its name, one behind the other; undefined is left out. */
export type S3Tree = string | number | boolean | undefined | readonly S3Tree[] | { readonly [name: string]: S3Tree };

export const S3_NAMESPACE = 'http://s3.amazonaws.com/doc/2006-03-01/';
const DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>\n';

function element(name: string, tree: S3Tree, attributes = ''): string {
  if (tree === undefined) return '';
  if (isList(tree)) return tree.map((member) => element(name, member, attributes)).join('');
  const inside =
    typeof tree === 'object'
      ? Object.entries(tree)
          .map(([child, value]) => element(child, value))
          .join('')
      : escapeXml(String(tree));
  return `<${name}${attributes}>${inside}</${name}>`;
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
