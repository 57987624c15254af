import type { LdifEntry } from './ldap-schema.ts';

const WIDTH = 78;

/** RFC 2849: what may stand as it is; anything else is written in base64. */
const SAFE = /^[\x21-\x39\x3b\x3d-\x7e][\x20-\x7e]*$/;

function line(name: string, value: string): string {
  const plain = SAFE.test(value) && !value.endsWith(' ');
  const text = plain ? `${name}: ${value}` : `${name}:: ${Buffer.from(value, 'utf8').toString('base64')}`;
  // A line that goes on begins with a blank.
  const parts = [text.slice(0, WIDTH)];
  for (let at = WIDTH; at < text.length; at += WIDTH - 1) parts.push(` ${text.slice(at, at + WIDTH - 1)}`);
  return parts.join('\n');
}

/** Entries as LDIF (RFC 2849), for ldapadd. */
export function renderLdif(entries: readonly LdifEntry[]): string {
  return entries
    .map(({ dn, attributes }) => {
      const lines = Object.entries(attributes).flatMap(([name, values]) =>
        (typeof values === 'string' ? [values] : values).map((value) => line(name, value)),
      );
      return `${[line('dn', dn), ...lines].join('\n')}\n`;
    })
    .join('\n');
}
