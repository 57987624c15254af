import { KEYS, PREFIX } from '../../domain/keys.ts';
import type { ControllerContext } from '../controller-context.ts';
import { transact } from '../state/draft.ts';
import { idsOfProject, tagsOfProject } from './left-of-project.ts';

const KEYS_A_TXN = 50;

interface DirectoryMark {
  readonly operationId: string;
}

type Context = Pick<ControllerContext, 'directory' | 'store'>;

/** Limits and usage of the users that a project had, and what is left of its tags, once it is gone: there may be more of them than a transaction has room for. */
export async function dropRestOfProject(context: Context, projectId: string): Promise<void> {
  const { store } = context;
  await store.barrier();
  const shares = idsOfProject(store, projectId).flatMap((id) =>
    [PREFIX.quota, PREFIX.usage].flatMap((prefix) => store.range(`${prefix}${id}/`).map(({ key }) => key)),
  );
  const keys = [...shares, ...tagsOfProject(store, projectId)];
  for (let at = 0; at < keys.length; at += KEYS_A_TXN)
    if (!(await dropUnlessThere(context, projectId, keys.slice(at, at + KEYS_A_TXN)))) return;
}

/** False when somebody made a project of that name meanwhile. Wherever the directory is, each project that is made changes its mark. */
async function dropUnlessThere(
  { directory, store }: Context,
  projectId: string,
  keys: readonly string[],
): Promise<boolean> {
  for (;;) {
    const mark = store.get<DirectoryMark>(KEYS.directoryChange)?.value.operationId;
    if ((await directory.project(projectId)) !== undefined) return false;
    const { result } = await transact(store, (draft) => {
      if (draft.get<DirectoryMark>(KEYS.directoryChange)?.operationId !== mark) return 'changed';
      for (const key of keys) if (draft.get(key) !== undefined) draft.del(key);
      return 'dropped';
    });
    if (result === 'dropped') return true;
    // Of a change that another process made this one may not have heard.
    await store.barrier();
  }
}
