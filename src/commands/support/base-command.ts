import { Command } from '@oclif/core';
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

  protected open(flags: GlobalFlags): Session {
    const { parameters, id } = this.constructor as typeof BaseCommand;
    const words = [this.config.bin, ...id.split(':'), ...this.argv];
    const flagAt = words.findIndex((word) => word.startsWith('-'));
    this.#session ??= new Session({
      io: this.io,
      output: makeOutput(this.io, flags),
      flags,
      parameters,
      version: this.config.version,
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
