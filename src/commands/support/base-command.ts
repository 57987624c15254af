import { Command } from '@oclif/core';
import { globalFlags } from './flags.ts';
import { ioOf, type Io } from './io.ts';
import { makeOutput } from './make-output.ts';
import type { ParameterNames } from './parameter-text.ts';
import { Session, type GlobalFlags } from './session.ts';
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

  /** Runs it to its end: `run`, and what oclif does around it. */
  execute(): Promise<number | void> {
    return this._run<number | void>();
  }

  protected open(flags: GlobalFlags): Session {
    const { parameters } = this.constructor as typeof BaseCommand;
    return new Session({ io: this.io, output: makeOutput(this.io, flags), flags, parameters });
  }

  protected override catch(error: Error & { exitCode?: number }): Promise<never> {
    const { flags, id } = this.constructor as typeof BaseCommand;
    const known = Object.keys({ ...globalFlags, ...flags });
    const rejected = usageError(error, known, id.replaceAll(':', ' '));
    return Promise.reject(rejected instanceof Error ? rejected : error);
  }
}
