import { readFileSync } from 'node:fs';
import { CloudError, errorText } from '../../base/errors.ts';
import { checkFingerprint, fetchAuthority, readCertificate } from '../../client/fetch-authority.ts';
import { parseCloudUrl } from '../../client/cloud-url.ts';
import { asCloudContext, type CloudContext } from './contexts.ts';
import type { Io } from './io.ts';
import { stdinPieces } from './stdin.ts';

/** What `context add` was told. */
export interface ContextFlags {
  readonly from?: string | undefined;
  readonly url?: string | undefined;
  readonly 'access-key'?: string | undefined;
  readonly 'secret-file'?: string | undefined;
  readonly 'secret-stdin'?: boolean;
  readonly ca?: string | undefined;
  readonly 'ca-stdin'?: boolean;
  readonly fingerprint?: string | undefined;
  readonly region?: string | undefined;
}

const MAX_BYTES = 65_536;
const missing = (text: string): CloudError => new CloudError('MissingParameter', text);

async function stdinText(io: Io, what: string): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of stdinPieces(io)) {
    const bytes = Buffer.from(chunk);
    size += bytes.length;
    if (size > MAX_BYTES) throw new CloudError('InvalidParameterValue', `${what}: stdin holds over ${MAX_BYTES} bytes`);
    chunks.push(bytes);
  }
  const text = Buffer.concat(chunks).toString('utf8');
  if (text.trim() === '') throw missing(`${what}: stdin is empty`);
  return text;
}

function fileText(path: string, flag: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new CloudError('InvalidParameterValue', `${flag}: ${path} can't be read: ${errorText(error)}`, {
      cause: error,
    });
  }
}

async function fromExport(io: Io, name: string, path: string): Promise<CloudContext> {
  const text = path === '-' ? await stdinText(io, '--from') : fileText(path, '--from');
  const { parse } = await import('./yaml.ts');
  const wrong = new CloudError('InvalidParameterValue', `--from: ${path} is not what novactl context export prints`);
  let entry: unknown;
  try {
    entry = parse(text) as unknown;
  } catch (error) {
    throw new CloudError('InvalidParameterValue', wrong.message, { cause: error });
  }
  if (entry === null || typeof entry !== 'object') throw wrong;
  const cloud = asCloudContext(name, entry as Record<string, unknown>);
  if (cloud === undefined) throw wrong;
  return cloud;
}

async function secretOf(io: Io, flags: ContextFlags): Promise<string> {
  const path = flags['secret-file'];
  if (path === undefined && flags['secret-stdin'] !== true) {
    throw missing('missing --secret-file or --secret-stdin; a secret is never taken as a word of the command');
  }
  const text = (path === undefined ? await stdinText(io, '--secret-stdin') : fileText(path, '--secret-file')).trim();
  if (/^\S{16,128}$/.test(text)) return text;
  throw new CloudError('InvalidParameterValue', 'the secret of an access key is one word of 16 to 128 characters');
}

async function authorityOf(io: Io, flags: ContextFlags, url: string): Promise<string> {
  if (flags.ca !== undefined) return fileText(flags.ca, '--ca');
  if (flags['ca-stdin'] === true) return stdinText(io, '--ca-stdin');
  if (flags.fingerprint !== undefined) return fetchAuthority(url);
  throw missing('missing --ca, --ca-stdin or --fingerprint: without one, nothing tells the cloud from an impostor');
}

/** The context that the flags describe. Errors: 'MissingParameter', 'InvalidParameterValue', 'AuthFailure' when the fingerprint is another. */
export async function gatherContext(io: Io, name: string, flags: ContextFlags): Promise<CloudContext> {
  const cloud = flags.from === undefined ? await fromFlags(io, name, flags) : await fromExport(io, name, flags.from);
  parseCloudUrl(cloud.url, '--from: url');
  if (!/^[A-Z0-9]{16,128}$/.test(cloud.accessKeyId)) {
    throw new CloudError(
      'InvalidParameterValue',
      `--access-key must be like AKIAIOSFODNN7EXAMPLE, not "${cloud.accessKeyId}"`,
    );
  }
  checkAuthority(cloud.ca, flags.fingerprint);
  return cloud;
}

function checkAuthority(ca: string, fingerprint: string | undefined): void {
  if (fingerprint !== undefined) checkFingerprint(ca, fingerprint);
  else readCertificate(ca);
}

async function fromFlags(io: Io, name: string, flags: ContextFlags): Promise<CloudContext> {
  const { url, 'access-key': accessKeyId, region = 'nova' } = flags;
  if (url === undefined || accessKeyId === undefined) throw missing('missing --url and --access-key, or --from');
  parseCloudUrl(url, '--url');
  const secretAccessKey = await secretOf(io, flags);
  const ca = await authorityOf(io, flags, url);
  return { name, url, region, accessKeyId, secretAccessKey, ca };
}
