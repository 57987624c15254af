import type { Command } from '@oclif/core';
import { EXIT_CODES } from '../../src/base/exit-codes.ts';
import { FORMATS } from '../../src/views/listing.ts';
import { flagItems, flagsOf, pageName } from './command-page.ts';
import { block, bold, item, paragraph, section, seeAlso, text, title } from './roff.ts';

const FORMAT_TEXT: Record<(typeof FORMATS)[number], string> = {
  table: 'aligned columns for people; times as ages',
  wide: 'the same with more columns',
  json: 'all there is, times in ISO 8601; the form for programs',
  yaml: 'the same as json in YAML',
  csv: 'the columns of wide, RFC 4180 with a title line; times in ISO 8601',
  name: 'one id (or name, where that is the key) a line',
};

const ENVIRONMENT: readonly (readonly [string, string])[] = [
  ['NOVACTL_CONFIG', 'configuration file in place of /etc/novactl/novactl.yaml'],
  ['NOVACTL_CONTEXT', 'context of contexts.yaml to use'],
  ['NOVACTL_PROJECT', 'project to work in, as --project'],
  ['NOVACTL_STATE_DIR, NOVACTL_RUN_DIR, ...', 'every key of novactl.yaml(5) has a variable; that page names it'],
  ['NO_COLOR', 'when set and not empty nothing is coloured; TERM=dumb does the same'],
  ['SUDO_USER', 'recorded with every change as a claim of who it was'],
];

const FILES: readonly (readonly [string, string])[] = [
  ['/etc/novactl/novactl.yaml', 'the configuration, see novactl.yaml(5)'],
  ['/var/lib/novactl', 'the state; log/daemon.log is the log of what novactl up started'],
  ['/run/novactl/novactl.sock', 'the admin API'],
  ['~/.config/novactl/contexts.yaml', 'named sets of configuration keys'],
  ['~/.config/novactl/keys', 'private keys that novactl keypair create wrote'],
  ['~/.config/novactl/known_hosts.d', 'host keys of instances, pinned by novactl instance ssh'],
  ['~/.cache/novactl', 'compiled code and parts of the tiny image; may be deleted at any time'],
];

const items = (rows: readonly (readonly [string, string])[]): string =>
  rows.map(([head, body]) => item(bold(head), body)).join('');

/** novactl(1): what all commands have in common. */
export function mainPage(commands: readonly Command.Cached[], version: string): string {
  const [any] = commands;
  return [
    title('novactl', 1, version),
    section('name'),
    `novactl \\- ${text('a private cloud that one administrator runs from a terminal')}\n`,
    section('synopsis'),
    `${bold('novactl')} COMMAND [WORDS] [\\-\\-flags]\n`,
    section('description'),
    text('novactl runs instances on Linux hosts with libvirt, and keeps what it knows of them in plain files.\n'),
    paragraph('Data goes to stdout, messages to stderr. Nothing is asked and nothing moves where there is no terminal.'),
    paragraph('From a machine with nothing to a guest that one can log in to:'),
    block([
      'novactl up',
      'novactl host add --local',
      'novactl image build-tiny',
      'novactl keypair create mine',
      'novactl instance run --image tiny --type m1.nano --key mine --wait',
      'novactl instance ssh i-...',
    ]),
    section('commands'),
    ...commands.map((command) => item(`${bold(pageName(command.id))}(1)`, command.summary ?? '')),
    section('options'),
    text('Every command takes these. --help and --version are understood everywhere.\n'),
    any === undefined ? '' : flagItems(flagsOf(any, true)),
    section('output formats'),
    items(FORMATS.map((format) => [format, FORMAT_TEXT[format]] as const)),
    section('exit status'),
    items(Object.entries(EXIT_CODES)),
    section('environment'),
    items(ENVIRONMENT),
    section('files'),
    items(FILES),
    seeAlso([
      ['novactl.yaml', 5],
      ['novactl-concepts', 7],
    ]),
  ].join('');
}
