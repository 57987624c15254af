import { Flags } from '@oclif/core';

/** Whose something is, where it is not the caller's own. */
export const ownerFlags = {
  project: Flags.string({ description: "project; default the caller's own", helpValue: 'NAME' }),
  user: Flags.string({ description: 'only of this user in the project', helpValue: 'NAME' }),
};

export const ownerParameters = { ProjectId: '--project', UserName: '--user' };

/** The parameters that say so. */
export function ownerInput(flags: { readonly project?: string | undefined; readonly user?: string | undefined }): {
  ProjectId?: string;
  UserName?: string;
} {
  return {
    ...(flags.project === undefined ? {} : { ProjectId: flags.project }),
    ...(flags.user === undefined ? {} : { UserName: flags.user }),
  };
}
