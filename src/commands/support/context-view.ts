import type { ContextView } from '../../views/contexts.ts';
import { asCloudContext, LOCAL_CONTEXT, type ContextsFile } from './contexts.ts';

async function fingerprint(ca: string): Promise<string> {
  const { X509Certificate } = await import('node:crypto');
  try {
    return new X509Certificate(ca).fingerprint256;
  } catch {
    return 'not a certificate';
  }
}

/** Every context as it may be shown, this machine first. */
export async function contextViews(file: ContextsFile): Promise<ContextView[]> {
  const current = file.current ?? LOCAL_CONTEXT;
  const none = { url: '', region: '', accessKeyId: '', caFingerprint: '' };
  const entries = Object.entries(file.contexts).map(async ([name, entry]): Promise<ContextView> => {
    const cloud = asCloudContext(name, entry);
    const is = { name, current: name === current };
    if (cloud === undefined) return { ...is, ...none };
    const { url, region, accessKeyId, ca } = cloud;
    return { ...is, url, region, accessKeyId, caFingerprint: await fingerprint(ca) };
  });
  return [{ name: LOCAL_CONTEXT, current: current === LOCAL_CONTEXT, ...none }, ...(await Promise.all(entries))];
}
