import { CloudError } from '../base/errors.ts';

export const ADMIN_PORT = 8774;

export interface CloudUrl {
  /** Name or address, without brackets. */
  readonly host: string;
  readonly port: number;
  /** As the header `host` has it. */
  readonly authority: string;
}

/** `https://host[:port]`; the port is 8774 when none is given. Errors: 'InvalidParameterValue', of `what`. */
export function parseCloudUrl(text: string, what = 'the address'): CloudUrl {
  const bad = new CloudError('InvalidParameterValue', `${what} must be like https://cloud.example:8774, not "${text}"`);
  if (!URL.canParse(text)) throw bad;
  const url = new URL(text);
  const plain =
    url.pathname === '/' && url.search === '' && url.hash === '' && url.username === '' && url.password === '';
  if (url.protocol !== 'https:' || !plain || url.hostname === '') throw bad;
  // The URL's parser drops 443, the scheme's own port.
  const port = url.port !== '' ? Number(url.port) : /:443\/?$/.test(text) ? 443 : ADMIN_PORT;
  return { host: url.hostname.replace(/^\[(.*)\]$/, '$1'), port, authority: `${url.hostname}:${port}` };
}
