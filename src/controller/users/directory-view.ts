import type { DirectoryProject, DirectoryUser } from '../../domain/directory.ts';
import { projectFrom, userFrom } from '../../domain/directory-records.ts';
import { KEYS, PREFIX } from '../../domain/keys.ts';
import type { ProjectRecord, UserRecord } from '../../domain/records.ts';
import type { Directory } from '../../ports/directory.ts';
import type { Replica } from '../../ports/store.ts';
import type { Draft } from '../state/draft.ts';

/** Who there is, to decide by: in the store's directory what the transaction reads, in one elsewhere what it said just now. */
export interface DirectoryView {
  user(name: string): DirectoryUser | undefined;
  project(id: string): DirectoryProject | undefined;
  /** Not guarded: there may be more than a transaction has room to guard. Who must not miss one guards what each new one writes. */
  projects(): readonly DirectoryProject[];
  /** Of everything else that is recorded. */
  readonly replica: Pick<Replica, 'range'>;
}

export function draftView(draft: Draft): DirectoryView {
  const project = (id: string): DirectoryProject | undefined => {
    const record = draft.get<ProjectRecord>(KEYS.project(id));
    return record && projectFrom(record);
  };
  return {
    user(name) {
      const record = draft.get<UserRecord>(KEYS.user(name));
      return record && userFrom(record);
    },
    project,
    projects: () =>
      draft.replica.range<ProjectRecord>(PREFIX.project).flatMap(({ key }) => {
        const record = draft.peek<ProjectRecord>(key);
        return record === undefined ? [] : [projectFrom(record)];
      }),
    replica: draft.replica,
  };
}

/** Errors: 'Unavailable'. */
export async function viewElsewhere(
  directory: Pick<Directory, 'users' | 'projects'>,
  replica: Pick<Replica, 'range'>,
): Promise<DirectoryView> {
  const [users, projects] = await Promise.all([directory.users(), directory.projects()]);
  const byName = new Map(users.map((user) => [user.name, user]));
  const byId = new Map(projects.map((project) => [project.id, project]));
  return {
    user: (name) => byName.get(name),
    project: (id) => byId.get(id),
    projects: () => projects,
    replica,
  };
}
