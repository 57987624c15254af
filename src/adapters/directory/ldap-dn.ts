/** A distinguished name in a form that compares: lower case, no blanks around its signs. Escaped characters are left as they are. */
export function plainDn(dn: string): string {
  return dn
    .toLowerCase()
    .replaceAll(/\s*(?<!\\)([,=+])\s*/g, '$1')
    .trim();
}

/** The value of the first part of a DN below `base`, where it is `attribute=value` and nothing more stands between; undefined for any other. */
export function nameBelow(dn: string, attribute: string, base: string): string | undefined {
  const [plain, end, start] = [plainDn(dn), `,${plainDn(base)}`, `${attribute.toLowerCase()}=`];
  if (!plain.endsWith(end) || !plain.startsWith(start)) return undefined;
  const value = plain.slice(start.length, -end.length);
  return /[,+=\\"]/.test(value) ? undefined : value;
}
