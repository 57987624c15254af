import { CloudError } from '../../base/errors.ts';

export const noUser = (name: string): CloudError =>
  new CloudError('InvalidUser.NotFound', `there is no user ${name}; see "novactl user list"`, {
    details: { user: name },
  });

export const noMember = (name: string, project: string): CloudError =>
  new CloudError('InvalidUser.NotFound', `${name} is no member of project ${project}; make the user a member first`, {
    details: { user: name, project },
  });

export const noProject = (id: string): CloudError =>
  new CloudError('InvalidProject.NotFound', `there is no project ${id}; see "novactl project list"`, {
    details: { project: id },
  });

export const duplicateUser = (name: string): CloudError =>
  new CloudError('InvalidUser.Duplicate', `there is a user ${name} already`, { details: { user: name } });

export const duplicateProject = (id: string, why: string): CloudError =>
  new CloudError('InvalidProject.Duplicate', why, { details: { project: id } });

export const manages = (name: string, projects: readonly string[]): CloudError =>
  new CloudError(
    'InvalidUser.InUse',
    `${name} is the manager of ${projects.join(', ')}: name another manager there first`,
    { details: { user: name, projects } },
  );

/** A person whom others keep. */
export const notOurs = (name: string, what: string): CloudError =>
  new CloudError(
    'UnsupportedOperation',
    `${what} of ${name} is kept by whoever keeps this directory's people, and novactl does not change it: change it there`,
    { details: { user: name } },
  );

export const raced = (what: string): CloudError =>
  new CloudError('Conflict', `others changed ${what} again and again meanwhile; try again`);
