import type { Random } from '../../base/random.ts';
import { secretsDir } from '../config/places.ts';
import type { Config } from '../config/schema.ts';
import { openAuthority, serverCertificate } from './authority-files.ts';
import { certificateNames } from './certificate-names.ts';

/** The certificate of this process, for every name by which clients may come; a new one when the old one ends soon. */
export async function processCertificate(
  config: Config,
  asked: { readonly cloudId: string; readonly random: Random; readonly nowMs: number },
): ReturnType<typeof serverCertificate> {
  const authority = await openAuthority({ ...asked, stateDir: secretsDir(config) });
  return serverCertificate({ ...asked, stateDir: config.stateDir }, authority, certificateNames(config));
}
