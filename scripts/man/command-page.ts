import type { Command } from '@oclif/core';
import { block, bold, italic, item, paragraph, section, seeAlso, text, title } from './roff.ts';

type Flag = Command.Flag.Cached;

const words = (id: string): string => id.replaceAll(':', ' ');

/** `novactl-instance-run`. */
export const pageName = (id: string): string => `novactl-${id.replaceAll(':', '-')}`;

function synopsis(command: Command.Cached): string {
  const required = Object.values(command.flags).filter((flag) => flag.required === true);
  const args = Object.values(command.args).map((arg) => {
    const name = `${italic(arg.name.toUpperCase())}${arg.multiple === true ? '...' : ''}`;
    return arg.required === true ? name : `[${name}]`;
  });
  const flags = required.map((flag) => `${bold(`--${flag.name}`)} ${italic(valueOf(flag))}`);
  return [bold(`novactl ${words(command.id)}`), ...args, ...flags, `[${italic('flags')}]`].join(' ');
}

const valueOf = (flag: Flag): string =>
  flag.type === 'option' ? [flag.helpValue ?? (flag.options === undefined ? 'VALUE' : flag.options.join('|'))].join() : '';

function flagItem(flag: Flag): string {
  const value = valueOf(flag);
  const names = [...(flag.char === undefined ? [] : [`-${flag.char}`]), `--${flag.name}`].map(bold).join(', ');
  const fallback = flag.type === 'option' && flag.default !== undefined ? ` (default ${String(flag.default)})` : '';
  const repeat = flag.type === 'option' && flag.multiple === true ? '; may be given several times' : '';
  const needed = flag.required === true ? '; required' : '';
  const head = value === '' ? names : `${names} ${italic(value)}`;
  return item(head, `${flag.description ?? ''}${fallback}${repeat}${needed}`);
}

/** Every example is a command line; the rest is templates of oclif. */
export const exampleLines = (command: Command.Cached): string[] =>
  (command.examples ?? []).map((example) => {
    const line = typeof example === 'string' ? example : example.command;
    return line.replaceAll('<%= config.bin %>', 'novactl');
  });

export function flagsOf(command: Command.Cached, global: boolean): Flag[] {
  return Object.values(command.flags).filter((flag) => (flag.helpGroup === 'GLOBAL') === global);
}

export const flagItems = (flags: readonly Flag[]): string => flags.map(flagItem).join('');

/** One command's page of section 1. */
export function commandPage(command: Command.Cached, version: string): string {
  const name = pageName(command.id);
  const own = flagsOf(command, false);
  const args = Object.values(command.args);
  return [
    title(name, 1, version),
    section('name'),
    `${text(name)} \\- ${text(command.summary ?? '')}\n`,
    section('synopsis'),
    `${synopsis(command)}\n`,
    ...(command.description === undefined ? [] : [section('description'), `${text(command.description)}\n`]),
    ...(args.length === 0
      ? []
      : [section('arguments'), ...args.map((arg) => item(italic(arg.name.toUpperCase()), arg.description ?? ''))]),
    ...(own.length === 0 ? [] : [section('options'), flagItems(own)]),
    paragraph('The options that every command has are described in novactl(1).'),
    ...(command.aliases.length === 0
      ? []
      : [section('also called'), `${command.aliases.map((alias) => bold(`novactl ${words(alias)}`)).join(',\n')}\n`]),
    section('examples'),
    block(exampleLines(command)),
    section('exit status'),
    'The exit codes are those of novactl(1).\n',
    seeAlso([
      ['novactl', 1],
      ['novactl-concepts', 7],
    ]),
  ].join('');
}
