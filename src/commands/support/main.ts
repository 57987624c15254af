import { Config } from '@oclif/core/config';
import { normalizeArgv } from '@oclif/core/help';
import type { Command, Interfaces } from '@oclif/core';
import { CloudError } from '../../base/errors.ts';
import { nearest } from '../../base/nearest.ts';
import type { BaseCommand } from './base-command.ts';
import { attachIo, type Io } from './io.ts';
import { leadingFlagsLast } from './leading-flags.ts';
import { makeOutput } from './make-output.ts';
import { reportError } from './report-error.ts';

type ConcreteCommand = new (argv: string[], config: Config) => BaseCommand;

export interface MainOptions {
  /** The folder of package.json and the manifest. */
  readonly root: string;
  readonly pjson?: Interfaces.PJSON;
  /** Loads a command's class where that is not to be done by its file (tests). */
  readonly load?: (id: string) => Promise<Command.Class>;
  /** Make the manifest from the sources (tests, development). */
  readonly ignoreManifest?: boolean;
}

/** The words before `--`: what comes after belongs to another program. */
function ownWords(argv: readonly string[]): readonly string[] {
  const end = argv.indexOf('--');
  return end < 0 ? argv : argv.slice(0, end);
}

function wants(argv: readonly string[], long: string, short: string): boolean {
  return ownWords(argv).some((word) => word === long || word === short);
}

/** Whether errors are to be JSON; asked before, and whether or not, the words can be parsed. */
function wantsJson(argv: readonly string[]): boolean {
  const text = ` ${ownWords(argv).join(' ')} `;
  return / --json /.test(text) || / (--output|-o)[ =]json /.test(text);
}

function unknownCommand(config: Config, argv: readonly string[]): CloudError {
  const words = argv.filter((word) => !word.startsWith('-'));
  const given = words.slice(0, 2);
  // oclif takes words behind a command that has no arguments for a part of its name.
  for (const length of [2, 1]) {
    const [name, extra] = [given.slice(0, length), words[length]];
    if (extra === undefined || config.findCommand(name.join(':')) === undefined) continue;
    return new CloudError('InvalidParameterValue', `unexpected word "${extra}"; ${name.join(' ')} takes none`);
  }
  const known = config.commands.map(({ id }) => id.replaceAll(':', ' '));
  const near = nearest(given.join(' '), known) ?? nearest(given[0] ?? '', known);
  const hint = near === undefined ? 'novactl --help lists all' : `did you mean ${near}?`;
  return new CloudError('InvalidParameterValue', `unknown command ${given.join(' ')}; ${hint}`);
}

async function showHelp(config: Config, id: string | undefined, argv: readonly string[], io: Io): Promise<void> {
  const { commandHelp, rootHelp, topicHelp } = await import('./help.ts');
  const command = id === undefined ? undefined : config.findCommand(id);
  if (command !== undefined) return commandHelp(config, command, io);
  const text = id === undefined ? rootHelp(config, io) : topicHelp(config, id, io);
  if (text === undefined) throw unknownCommand(config, argv);
  io.stdout.write(text);
}

async function loadConfig(io: Io, options: MainOptions): Promise<Config> {
  const { root, pjson, ignoreManifest = false } = options;
  const config = await Config.load({ root, ignoreManifest, ...(pjson === undefined ? {} : { pjson }) });
  attachIo(config, io);
  return config;
}

/** `novactl help X` is `novactl X --help`; no words at all ask for help too. */
function askedWords(argv: readonly string[]): { words: readonly string[]; help: boolean } {
  const words = argv[0] === 'help' ? argv.slice(1) : argv;
  return { words, help: words !== argv || words.length === 0 || wants(words, '--help', '-h') };
}

async function dispatch(argv: readonly string[], io: Io, options: MainOptions): Promise<number> {
  const config = await loadConfig(io, options);
  const { words, help } = askedWords(argv);
  const [first, ...rest] = normalizeArgv(config, [...words]);
  const id = first?.startsWith('-') === true ? undefined : first;
  const command = id === undefined ? undefined : config.findCommand(id);
  if (help || command === undefined) {
    // A bare topic lists its commands; anything else without a command is a mistake.
    if (!help && id === undefined) throw unknownCommand(config, argv);
    await showHelp(config, id, argv, io);
    return 0;
  }
  // Not by config.runCommand, which would load the whole configuration of oclif a second time.
  const Chosen = (await (options.load?.(command.id) ?? command.load())) as unknown as ConcreteCommand;
  return (await new Chosen(rest, config).execute()) ?? 0;
}

/** Runs one command line to its end. Answers the exit code; whatever went wrong was said on stderr. */
export async function main(given: readonly string[], io: Io, options: MainOptions): Promise<number> {
  const argv = leadingFlagsLast(given);
  const verbose = wants(argv, '--verbose', '-v');
  try {
    return await dispatch(argv, io, options);
  } catch (error) {
    const quiet = wants(argv, '--quiet', '-q');
    const output = makeOutput(io, { quiet, verbose, 'no-color': wants(argv, '--no-color', '--no-color') });
    const cause = io.signal.aborted ? (io.signal.reason as unknown) : error;
    return reportError(cause, output, { json: wantsJson(argv), verbose });
  }
}
