import { CommandHelp, Help, type Command, type Config } from '@oclif/core';
import { renderDetails, renderTable, type TableOptions } from '../../views/table.ts';
import type { Io } from './io.ts';

const plain = (io: Io): TableOptions => ({
  width: io.stdout.isTty ? (io.stdout.columns ?? 80) : undefined,
  color: false,
  cutMark: '~',
});

/** The commands there are, each once, by its first name. */
function listed(config: Config): Command.Loadable[] {
  return config.commands
    .filter((command) => !command.hidden && !command.aliases.includes(command.id))
    .sort((a, b) => (a.id < b.id ? -1 : 1));
}

const words = (id: string): string => id.replaceAll(':', ' ');

function commandTable(commands: readonly Command.Loadable[], io: Io): string {
  const column = (title: string, fixed: boolean) => ({ title, right: false, fixed });
  return renderTable(
    [column('command', true), column('or', true), column('does', false)],
    commands.map((command) => [
      { text: words(command.id) },
      { text: command.aliases.map(words).join(', ') || '-' },
      { text: command.summary ?? '' },
    ]),
    plain(io),
  );
}

/** All commands, grouped by what they are about. */
export function rootHelp(config: Config, io: Io): string {
  return [
    `${config.pjson.description ?? ''}\n`,
    'usage: novactl COMMAND [WORDS] [--flags]\n',
    commandTable(listed(config), io),
    'novactl COMMAND --help says more of one; man novactl-concepts explains states, modes and exit codes\n',
  ].join('\n');
}

/** The commands of one topic; undefined when there is none of that name. */
export function topicHelp(config: Config, topic: string, io: Io): string | undefined {
  const commands = listed(config).filter((command) => command.id.startsWith(`${topic}:`));
  if (commands.length === 0) return undefined;
  const about = config.topics.find(({ name }) => name === topic)?.description ?? '';
  return [
    renderDetails([[words(topic), { text: about }]], plain(io)),
    `usage: novactl ${words(topic)} COMMAND [WORDS] [--flags]\n`,
    commandTable(commands, io),
  ].join('\n');
}

class PlainCommandHelp extends CommandHelp {
  /** The usage line stays short: flags are listed below it anyway. */
  protected override defaultUsage(): string {
    const { id, args = {}, flags = {} } = this.command;
    const required = Object.values(flags).flatMap((flag) => (flag.required === true ? [`--${flag.name} <value>`] : []));
    const wordsOf = Object.values(args).map((arg) => {
      const name = `${arg.name.toUpperCase()}${arg.multiple === true ? '...' : ''}`;
      return arg.required === true ? name : `[${name}]`;
    });
    return [words(id), ...wordsOf, ...required, '[--flags]'].join(' ');
  }
}

/** The help of one command, as text. */
export async function commandHelp(config: Config, command: Command.Loadable, io: Io): Promise<void> {
  class ToStdout extends Help {
    protected override CommandHelpClass = PlainCommandHelp;

    protected override log(...lines: string[]): void {
      for (const line of lines) io.stdout.write(`${line}\n`);
    }
  }
  await new ToStdout(config, { maxWidth: 100 }).showCommandHelp(command);
}
