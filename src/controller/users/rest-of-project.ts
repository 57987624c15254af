import { KEYS, PREFIX } from '../../domain/keys.ts';
import type { UserCertificateRecord } from '../../domain/user-certificate.ts';
import type { ControllerContext } from '../controller-context.ts';
import { transact } from '../state/draft.ts';
import { idsOfProject, tagsOfProject } from './left-of-project.ts';

const KEYS_A_TXN = 50;

interface DirectoryMark {
  readonly operationId: string;
}

type Context = Pick<ControllerContext, 'directory' | 'store'>;

/**
 * Limits and usage of the users that a project had, its certificates, and what is left of its tags, once it is gone: there may be more of them than a
 * transaction has room for.
 */
export async function dropRestOfProject(context: Context, projectId: string): Promise<void> {
  const { directory, store } = context;
  await store.barrier();
  const shares = idsOfProject(store, projectId).flatMap((id) =>
    [PREFIX.quota, PREFIX.usage].flatMap((prefix) => store.range(`${prefix}${id}/`).map(({ key }) => key)),
  );
  const certificates = certificateKeys(context, (row) => row.projectId === projectId);
  const isThere = async (): Promise<boolean> => (await directory.project(projectId)) !== undefined;
  await dropUnless(store, isThere, [...shares, ...certificates, ...tagsOfProject(store, projectId)]);
}

/** The certificates of a user who is gone. */
export async function dropRestOfUser(context: Context, name: string): Promise<void> {
  const { directory, store } = context;
  await store.barrier();
  const isThere = async (): Promise<boolean> => (await directory.user(name)) !== undefined;
  const keys = certificateKeys(context, (row) => row.userId === name);
  await dropUnless(store, isThere, keys);
}

function certificateKeys({ store }: Context, isTheirs: (row: UserCertificateRecord) => boolean): string[] {
  const all = store.range<UserCertificateRecord>(PREFIX.userCertificate);
  return all.filter(({ value }) => isTheirs(value)).map(({ key }) => key);
}

/** Ends when somebody made one of that name meanwhile. Wherever the directory is, each user or project that is made changes its mark. */
async function dropUnless(
  store: Context['store'],
  isThere: () => Promise<boolean>,
  keys: readonly string[],
): Promise<void> {
  for (let at = 0; at < keys.length;) {
    const mark = store.get<DirectoryMark>(KEYS.directoryChange)?.value.operationId;
    if (await isThere()) return;
    const some = keys.slice(at, at + KEYS_A_TXN);
    const { result: isSame } = await transact(store, (draft) => {
      if (draft.get<DirectoryMark>(KEYS.directoryChange)?.operationId !== mark) return false;
      for (const key of some) if (draft.get(key) !== undefined) draft.del(key);
      return true;
    });
    if (isSame) at += KEYS_A_TXN;
    // Of a change that another process made this one may not have heard.
    else await store.barrier();
  }
}
