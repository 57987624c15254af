import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { namesIn, type Secret } from '../../support/secret-spellings.ts';
import { run } from '../../support/test-cloud.ts';

export { namesIn, type Secret, wordSecret } from '../../support/secret-spellings.ts';

export interface FileHit {
  readonly path: string;
  readonly mode: number;
  readonly secrets: readonly string[];
}

/** Lines of a private key in PEM. The first one of an OpenSSH key says only what it is; short ones are padding. */
export function pemSecret(name: string, path: string): Secret {
  const text = readFileSync(path, 'utf8');
  const lines = text.split('\n').filter((line) => /^[A-Za-z0-9+/=]{24,}$/.test(line));
  const spellings = text.includes('OPENSSH') ? lines.slice(1) : lines;
  if (spellings.length === 0) throw new Error(`${path} holds no lines of a key`);
  return { name, spellings };
}

/** Files below the folders, changed since `stamp` was, that hold a secret. Other file systems below them are left out. */
export async function filesThatHold(
  folders: readonly string[],
  stamp: string,
  secrets: readonly Secret[],
): Promise<FileHit[]> {
  const own = mkdtempSync('/var/lib/novactl-canary-');
  try {
    const patterns = join(own, 'patterns');
    writeFileSync(patterns, secrets.flatMap(({ spellings }) => spellings).join('\n'), { mode: 0o600 });
    const what = ['-xdev', '-type', 'f', '-newer', stamp];
    const { stdout } = await run('find', [...folders, ...what, '-exec', 'grep', '-lsaF', '-f', patterns, '{}', '+']);
    return stdout
      .split('\n')
      .filter(Boolean)
      .map((path) => ({
        path,
        mode: statSync(path).mode & 0o777,
        secrets: namesIn(readFileSync(path, 'latin1'), secrets),
      }));
  } finally {
    rmSync(own, { recursive: true });
  }
}

/** Which record each secret in the journal and the snapshot belongs to: the key that stands before it. */
export function hitsInRecords(stateDir: string, secrets: readonly Secret[]): { key: string; name: string }[] {
  const files = readdirSync(stateDir).filter((name) => /^(journal|replica)/.test(name));
  return files.flatMap((file) => {
    const text = readFileSync(join(stateDir, file), 'latin1');
    return secrets.flatMap(({ name, spellings }) =>
      spellings.flatMap((spelling) =>
        [...text.matchAll(new RegExp(spelling.replaceAll(/[^A-Za-z0-9]/g, String.raw`\$&`), 'g'))].map(({ index }) => {
          const keys = [...text.slice(0, index).matchAll(/"(?:k|key)":"([^"]+)"/g)];
          return { key: keys.at(-1)?.[1] ?? '', name };
        }),
      ),
    );
  });
}
