import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { join } from 'node:path';

/** Files of a certificate and its key, and what is in them (PEM). */
export interface TestCertificate {
  readonly certFile: string;
  readonly keyFile: string;
  readonly cert: Buffer;
  readonly key: Buffer;
}

/** A certificate authority made by openssl, for servers and clients of one test file. */
export class TestAuthority {
  readonly caFile: string;
  readonly ca: Buffer;
  readonly #dir: string;

  /** `dir` is made when it is missing; whoever owns it removes it. */
  constructor(dir: string, name = 'test authority') {
    mkdirSync(dir, { recursive: true, mode: 0o700 });
    this.#dir = dir;
    this.caFile = join(dir, 'ca.pem');
    this.#request('ca', name, []);
    this.ca = readFileSync(this.caFile);
  }

  /** For a server at `names` (DNS names and addresses), and for a client that is called `commonName`. */
  issue(commonName: string, names: readonly string[] = ['localhost']): TestCertificate {
    const altNames = names.map((name) => `${isIP(name) === 0 ? 'DNS' : 'IP'}:${name}`).join(',');
    this.#request(commonName, commonName, [
      ...['-CA', this.caFile, '-CAkey', join(this.#dir, 'ca.key')],
      ...['-addext', 'basicConstraints=critical,CA:FALSE'],
      ...['-addext', 'extendedKeyUsage=serverAuth,clientAuth'],
      ...['-addext', `subjectAltName=${altNames}`],
    ]);
    const [certFile, keyFile] = [join(this.#dir, `${commonName}.pem`), join(this.#dir, `${commonName}.key`)];
    return { certFile, keyFile, cert: readFileSync(certFile), key: readFileSync(keyFile) };
  }

  #request(file: string, commonName: string, more: readonly string[]): void {
    const made = ['-out', join(this.#dir, `${file}.pem`), '-keyout', join(this.#dir, `${file}.key`)];
    const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
    const argv = ['req', '-x509', ...key, ...made, '-subj', `/CN=${commonName}`, '-days', '30', ...more];
    execFileSync('openssl', argv, { stdio: 'pipe' });
  }
}
