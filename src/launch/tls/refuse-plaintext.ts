import { isIP } from 'node:net';
import { CloudError } from '../../base/errors.ts';

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'));
}

/** Plain HTTP shows every answer, and lets whoever stands between say the same again. */
export function refusePlaintext(
  section: string,
  { protocol, allowPlaintext }: { readonly protocol: string; readonly allowPlaintext: string },
  host: string,
): void {
  if (protocol === 'https' || allowPlaintext === 'on' || isLoopback(host)) return;
  throw new CloudError(
    'InvalidParameterCombination',
    `${section}.listen has ${host}, which is not loopback, and ${section}.protocol is http; set it to https, or ${section}.allowPlaintext to on if nobody else can listen there`,
  );
}
