import { KEYS, PREFIX } from '../../domain/keys.ts';
import { projectWithoutRegion } from '../../domain/project-region.ts';
import type { ImageRecord } from '../../domain/records.ts';
import type { UserCertificateRecord } from '../../domain/user-certificate.ts';
import type { ControllerContext } from '../controller-context.ts';
import { type Draft, transact } from '../state/draft.ts';
import { idsOfProject, tagsOfProject } from './left-of-project.ts';

const KEYS_A_TXN = 50;

interface DirectoryMark {
  readonly operationId: string;
}

type Context = Pick<ControllerContext, 'directory' | 'store'>;

/**
 * Limits and usage of the users that a project had, its certificates, what is left of its tags, and its place among those that images of others are shared with,
 * once it is gone: there may be more of them than a transaction has room for. What a process that died left of it goes before the next project of that name is made.
 */
export async function dropRestOfProject(context: Context, projectId: string): Promise<void> {
  const { directory, store } = context;
  await store.barrier();
  const shares = idsOfProject(store, projectId).flatMap((id) =>
    [PREFIX.quota, PREFIX.usage].flatMap((prefix) => store.range(`${prefix}${id}/`).map(({ key }) => key)),
  );
  const certificates = certificateKeys(context, (row) => row.projectId === projectId);
  const isThere = async (): Promise<boolean> => (await directory.project(projectId)) !== undefined;
  const keys = [...shares, ...certificates, ...tagsOfProject(store, projectId)];
  const shared = store.range<ImageRecord>(PREFIX.image).filter(({ value }) => isSharedWith(value, projectId));
  await dropUnless(store, isThere, [
    ...keys.map(dropped),
    ...shared.map(
      ({ key }) =>
        (draft: Draft) =>
          unshare(draft, key, projectId),
    ),
  ]);
}

const isSharedWith = ({ launchProjects = [] }: ImageRecord, projectId: string): boolean =>
  launchProjects.some((id) => projectWithoutRegion(id) === projectId);

function unshare(draft: Draft, key: string, projectId: string): void {
  const image = draft.get<ImageRecord>(key);
  if (image === undefined || !isSharedWith(image, projectId)) return;
  const launchProjects = image.launchProjects?.filter((id) => projectWithoutRegion(id) !== projectId) ?? [];
  draft.put(key, { ...image, launchProjects } satisfies ImageRecord);
}

/** The certificates of a user who is gone. */
export async function dropRestOfUser(context: Context, name: string): Promise<void> {
  const { directory, store } = context;
  await store.barrier();
  const isThere = async (): Promise<boolean> => (await directory.user(name)) !== undefined;
  const keys = certificateKeys(context, (row) => row.userId === name);
  await dropUnless(store, isThere, keys.map(dropped));
}

function certificateKeys({ store }: Context, isTheirs: (row: UserCertificateRecord) => boolean): string[] {
  const all = store.range<UserCertificateRecord>(PREFIX.userCertificate);
  return all.filter(({ value }) => isTheirs(value)).map(({ key }) => key);
}

const dropped = (key: string) => (draft: Draft) => {
  if (draft.get(key) !== undefined) draft.del(key);
};

/** Ends when somebody made one of that name meanwhile. Wherever the directory is, each user or project that is made changes its mark. */
async function dropUnless(
  store: Context['store'],
  isThere: () => Promise<boolean>,
  changes: readonly ((draft: Draft) => void)[],
): Promise<void> {
  for (let at = 0; at < changes.length;) {
    const mark = store.get<DirectoryMark>(KEYS.directoryChange)?.value.operationId;
    if (await isThere()) return;
    const some = changes.slice(at, at + KEYS_A_TXN);
    const { result: isSame } = await transact(store, (draft) => {
      if (draft.get<DirectoryMark>(KEYS.directoryChange)?.operationId !== mark) return false;
      for (const change of some) change(draft);
      return true;
    });
    if (isSame) at += KEYS_A_TXN;
    // Of a change that another process made this one may not have heard.
    else await store.barrier();
  }
}
