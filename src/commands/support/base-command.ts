import { Command } from '@oclif/core';
import { CloudError } from '../../base/errors.ts';
import { globalFlags } from './flags.ts';
import { ioOf, type Io } from './io.ts';
import { makeOutput } from './make-output.ts';
import type { ParameterNames } from './parameter-text.ts';
import type { GlobalFlags } from './global-flags.ts';
import { Session } from './session.ts';
import { usageError } from './usage-error.ts';

/** What all commands share: the global flags, a session, and errors in the user's words. `run` may answer an exit code. */
export abstract class BaseCommand extends Command {
  static override baseFlags = globalFlags;
  /** What the operations' parameters are called here. */
  static parameters: ParameterNames = {};

  protected get io(): Io {
    return ioOf(this.config);
  }

  abstract override run(): Promise<number | void>;

  #session: Session | undefined;

  /** Runs it to its end: `run`, what oclif does around it, and the work that it set going in this process. */
  async execute(): Promise<number | void> {
    let code: number | void;
    try {
      code = await this._run<number | void>();
    } catch (error) {
      // What the command itself says is why it ends; the rest is only told.
      await this.#session?.close().catch((late: unknown) => {
        if (late !== error) this.#session?.output.warn(late instanceof Error ? late.message : String(late));
      });
      throw error;
    }
    await this.#session?.close();
    return code;
  }

  protected open(flags: GlobalFlags & { readonly project?: unknown }): Session {
    const { parameters, id, flags: own } = this.constructor as typeof BaseCommand;
    const words = [this.config.bin, ...id.split(':'), ...this.argv];
    const flagAt = words.findIndex((word) => word.startsWith('-'));
    this.#session ??= new Session({
      io: this.io,
      output: makeOutput(this.io, flags),
      flags,
      parameters: { ProjectId: '--project', ...parameters },
      version: this.config.version,
      project: workingProject(this.io.env, Object.hasOwn({ ...own }, 'project') ? undefined : flags.project),
      // Values of flags may be secrets.
      command: words.slice(0, flagAt < 0 ? undefined : flagAt).join(' '),
    });
    return this.#session;
  }

  protected override catch(error: Error & { exitCode?: number }): Promise<never> {
    const { flags, id } = this.constructor as typeof BaseCommand;
    const known = Object.keys({ ...globalFlags, ...flags });
    const rejected = usageError(error, known, id.replaceAll(':', ' '));
    return Promise.reject(rejected instanceof Error ? rejected : error);
  }
}

/** The project that --project or NOVACTL_PROJECT says; undefined: the caller's own. A command with a --project of its own means by it what its help says. */
function workingProject(env: Io['env'], flag: unknown): string | undefined {
  const [what, given] =
    typeof flag === 'string' ? ['--project', flag] : ['NOVACTL_PROJECT', env['NOVACTL_PROJECT'] || undefined];
  // What names may be the cloud says; this goes into the head of a request.
  if (given === undefined || /^[\x21-\x7e]{1,64}$/.test(given)) return given;
  const line = `${what} must be the name of a project, not "${given.replaceAll(/\P{ASCII}|\p{Cc}/gu, '?').slice(0, 80)}"`;
  throw new CloudError('InvalidParameterValue', line, { details: { line } });
}
