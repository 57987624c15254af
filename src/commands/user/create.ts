import { Args, Flags } from '@oclif/core';
import { ROLES } from '../../views/access.ts';
import { userListing } from '../../views/users.ts';
import { BaseCommand } from '../support/base-command.ts';
import { missing } from '../support/directory-flags.ts';
import { changeFlags, columnsFlag } from '../support/flags.ts';
import type { Io } from '../support/io.ts';
import { givenPassword, newPassword, passwordFlags } from '../support/password.ts';
import type { Session } from '../support/session.ts';

interface Person {
  readonly name: string;
  readonly displayName?: string | undefined;
  readonly email?: string | undefined;
  readonly password?: string | undefined;
}

export class UserCreate extends BaseCommand {
  static override summary = 'make a user';
  static override description =
    'A user signs requests by access keys (novactl key create); a password is needed only where one is asked for. At a terminal, without a name, it asks for what is needed.';
  static override aliases = ['create-user'];
  static override examples = [
    '<%= config.bin %> user create anna --email anna@example.org --project lab',
    '<%= config.bin %> user create ops --role cloudadmin --password',
    '<%= config.bin %> user create',
  ];
  static override args = { user: Args.string({ description: 'name of the user', ignoreStdin: true }) };
  static override flags = {
    'display-name': Flags.string({ description: 'name as people write it', helpValue: 'TEXT' }),
    email: Flags.string({ description: 'address', helpValue: 'ADDRESS' }),
    role: Flags.option({
      description: 'role in the whole cloud; may be repeated',
      options: ROLES,
      multiple: true,
      multipleNonGreedy: true,
    })(),
    project: Flags.string({
      description: 'project that they are made a member of; may be repeated',
      helpValue: 'NAME',
      multiple: true,
      multipleNonGreedy: true,
    }),
    ...passwordFlags,
    ...changeFlags,
    ...columnsFlag,
  };
  static override parameters = {
    UserName: 'USER',
    DisplayName: '--display-name',
    Email: '--email',
    Password: '--password',
    Projects: '--project',
    Roles: '--role',
  };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(UserCreate);
    const session = this.open(flags);
    const given = { displayName: flags['display-name'], email: flags.email };
    const person: Person =
      args.user === undefined
        ? { ...(await askForPerson(session, given)), ...(await passwordOf(this.io, flags)) }
        : { name: args.user, ...given, password: await givenPassword(this.io, flags) };
    const { name, displayName, email, password } = person;
    const { user, operationId } = await session.change('CreateUser', {
      UserName: name,
      ...(displayName === undefined ? {} : { DisplayName: displayName }),
      ...(email === undefined ? {} : { Email: email }),
      ...(password === undefined ? {} : { Password: password }),
      ...(flags.role === undefined ? {} : { Roles: flags.role }),
      ...(flags.project === undefined ? {} : { Projects: flags.project }),
    });
    session.output.message(`made the user ${user.userName} (${operationId})`);
    await session.show(userListing([user], { operationId }));
    const project = user.projects[0];
    if (project === undefined)
      session.output.hint(`put them into a project by: novactl project add-member PROJECT ${user.userName}`);
    else session.output.hint(`give them a key by: novactl key create --user ${user.userName} --project ${project}`);
  }
}

/** A flag that says so comes before what was typed. */
async function passwordOf(
  io: Io,
  flags: { readonly password?: boolean; readonly 'password-file'?: string | undefined },
): Promise<{ password?: string }> {
  if (flags['password-file'] === undefined) return {};
  const password = await givenPassword(io, flags);
  return password === undefined ? {} : { password };
}

async function askForPerson(session: Session, given: Omit<Person, 'name' | 'password'>): Promise<Person> {
  if (!session.canAsk) throw missing('USER', 'name of the user');
  const { dialogue } = await import('../support/dialogue.ts');
  return dialogue(session.io, async (talk) => {
    const name = await talk.ask('name of the user: ');
    if (name === '') throw missing('USER', 'name of the user');
    const displayName = given.displayName ?? (await talk.ask('name as people write it (empty: none): '));
    const email = given.email ?? (await talk.ask('e-mail address (empty: none): '));
    const password = await newPassword(talk);
    return {
      name,
      ...(displayName === '' ? {} : { displayName }),
      ...(email === '' ? {} : { email }),
      ...(password === '' ? {} : { password }),
    };
  });
}
