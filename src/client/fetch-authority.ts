import { X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import { connect, type DetailedPeerCertificate } from 'node:tls';
import { CloudError, errorText } from '../base/errors.ts';
import { parseCloudUrl } from './cloud-url.ts';

const CONNECT_MS = 10_000;

/** The certificate that signed itself at the end of what a server shows. */
function rootOf(certificate: DetailedPeerCertificate): DetailedPeerCertificate {
  let at = certificate;
  for (let depth = 0; depth < 8; depth += 1) {
    const next = at.issuerCertificate as DetailedPeerCertificate | undefined;
    if (next === undefined || next.fingerprint256 === at.fingerprint256) break;
    at = next;
  }
  return at;
}

const pem = (der: Buffer): string =>
  `-----BEGIN CERTIFICATE-----\n${der.toString('base64').replaceAll(/.{64}(?=.)/g, '$&\n')}\n-----END CERTIFICATE-----\n`;

/** Colons and case do not matter. */
const plain = (fingerprint: string): string => fingerprint.replaceAll(/[:\s]/g, '').toUpperCase();

/** CloudError 'InvalidParameterValue' for a text that is no certificate in PEM. */
export function readCertificate(ca: string): X509Certificate {
  try {
    return new X509Certificate(ca);
  } catch (error) {
    // What OpenSSL says of a text that is none helps nobody.
    throw new CloudError('InvalidParameterValue', "--ca: must be the authority's certificate in PEM; this is none", {
      cause: error,
    });
  }
}

/**
 * CloudError 'AuthFailure' when the certificate (PEM) has not the SHA-256 fingerprint that the caller knows, 'InvalidParameterValue' when that is none.
 */
export function checkFingerprint(ca: string, fingerprint: string): void {
  if (!/^[0-9A-F]{64}$/.test(plain(fingerprint))) {
    const allowed = 'a SHA-256 of 64 hex digits, with colons or without, as the log of the cloud has it';
    throw new CloudError('InvalidParameterValue', `--fingerprint must be ${allowed}, not "${fingerprint}"`);
  }
  const is = readCertificate(ca).fingerprint256;
  if (plain(is) === plain(fingerprint)) return;
  throw new CloudError('AuthFailure', `--fingerprint: the authority's certificate has ${is}, not ${fingerprint}`);
}

/** The certificate authority (PEM) that a cloud shows; nothing is believed of it before its fingerprint was compared. */
export function fetchAuthority(url: string): Promise<string> {
  const { host, port } = parseCloudUrl(url);
  return new Promise((resolve, reject) => {
    const servername = isIP(host) === 0 ? host : '';
    const socket = connect({ host, port, servername, rejectUnauthorized: false, minVersion: 'TLSv1.2' });
    const fail = (text: string, cause?: unknown): void => {
      socket.destroy();
      reject(new CloudError('Unavailable', `${url} can't be reached (${text})`, { cause }));
    };
    socket.setTimeout(CONNECT_MS, () => fail(`no answer within ${CONNECT_MS / 1000} s`));
    socket.once('error', (error) => fail(errorText(error), error));
    socket.once('secureConnect', () => {
      resolve(pem(rootOf(socket.getPeerCertificate(true)).raw));
      socket.destroy();
    });
  });
}
