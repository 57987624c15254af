import { beforeAll, describe, expect, it } from 'vitest';
import { OPERATIONS } from '../../../src/messages/operations/index.ts';
import { exampleLines } from '../../../scripts/man/command-page.ts';
import { manifestFromSources, type Manifest } from '../../../scripts/manifest.ts';

type Cached = Manifest['commands'][string] & { readonly parameters?: Readonly<Record<string, string>> };

let commands: Cached[] = [];
beforeAll(async () => {
  commands = Object.values((await manifestFromSources()).commands);
});

/** What breaks a rule, each with the command that it is in. */
const broken = (rule: (command: Cached) => readonly string[]): string[] =>
  commands.flatMap((command) => rule(command).map((what) => `${command.id}: ${what}`));

/** A fragment: no capital at the start (unless it is a name of letters all capital), no full stop at the end, one line. */
const isFragment = (text: string): boolean => !/^[A-Z][a-z]/.test(text) && !/\.$/.test(text) && !text.includes('\n');

describe('the language of help', () => {
  it('has all the commands', () => {
    expect(commands.length).toBeGreaterThanOrEqual(36);
  });

  it('says what each command does, as a fragment', () => {
    expect(
      broken(({ summary }) => (summary !== undefined && isFragment(summary) ? [] : [summary ?? 'no summary'])),
    ).toEqual([]);
  });

  it('describes commands in whole sentences', () => {
    expect(broken(({ description: text }) => (text === undefined || /^[A-Z].*\.$/s.test(text) ? [] : [text]))).toEqual(
      [],
    );
  });

  it('describes every flag and argument, as a fragment', () => {
    const rule = ({ flags, args }: Cached) =>
      [...Object.values(flags), ...Object.values(args)]
        .filter(({ description }) => description === undefined || !isFragment(description))
        .map(({ name, description }) => `${name}: ${description ?? ''}`);
    expect(broken(rule)).toEqual([]);
  });

  it('gives every command an example, with long flags that exist', () => {
    const rule = (command: Cached) => {
      const lines = exampleLines(command);
      if (lines.length === 0) return ['no example'];
      return lines.flatMap((line) => {
        const [own = ''] = line.slice(line.indexOf('novactl')).split(' -- ');
        const used = [...own.matchAll(/(?<=\s)--?[a-z][a-z0-9-]*/g)].map(([flag]) => flag);
        return used.filter((flag) => !flag.startsWith('--') || command.flags[flag.slice(2)] === undefined);
      });
    };
    expect(broken(rule)).toEqual([]);
  });

  it('shows each command in its own examples', () => {
    const rule = (command: Cached) => {
      const names = [command.id, ...command.aliases].map((id) => `novactl ${id.replaceAll(':', ' ')}`);
      return exampleLines(command).filter((line) => !names.some((name) => line.includes(name)));
    };
    expect(broken(rule)).toEqual([]);
  });
});

describe('names', () => {
  it('of two words and more have another form, verb first', () => {
    const rule = ({ id, aliases }: Cached) => {
      const verb = id.split(':').at(-1) ?? '';
      const noun = id.split(':').slice(0, -1).join('-');
      if (noun === '') return aliases;
      const wanted = noun === 'why' ? `explain-${verb}` : `${verb}-${noun}`;
      return aliases.includes(wanted) ? [] : [`no ${wanted}`];
    };
    expect(broken(rule)).toEqual([]);
  });

  it('are each given once', () => {
    const all = commands.flatMap(({ id, aliases }) => [id, ...aliases]);
    expect(all.length).toBe(new Set(all).size);
  });

  it('of flags are long, lower-case, and short forms mean one thing everywhere', () => {
    expect(
      broken(({ flags }) => Object.keys(flags).filter((name) => !/^[a-z][a-z0-9]+(-[a-z0-9]+)*$/.test(name))),
    ).toEqual([]);
    const meaning = new Map<string, string>();
    const rule = ({ flags }: Cached) =>
      Object.values(flags).flatMap(({ char, name }) => {
        if (char === undefined) return [];
        const known = meaning.get(char) ?? name;
        meaning.set(char, known);
        return known === name ? [] : [`-${char} is --${name}, elsewhere --${known}`];
      });
    expect(broken(rule)).toEqual([]);
  });

  it('take at most one optional word, the last one', () => {
    const rule = ({ args }: Cached) => {
      const optional = Object.values(args).map(({ required }) => required !== true);
      return optional.slice(0, -1).some(Boolean) ? ['an optional word is not the last'] : [];
    };
    expect(broken(rule)).toEqual([]);
  });
});

describe('the words for parameters', () => {
  const known = new Set(
    Object.values(OPERATIONS).flatMap(({ input }) => Object.keys((input as { shape?: object }).shape ?? {})),
  );

  it('name parameters that operations have, and flags and words that the command has', () => {
    expect(known).toContain('InstanceIds');
    const rule = ({ parameters = {}, flags, args }: Cached) =>
      Object.entries(parameters).flatMap(([parameter, word]) => {
        const words = [
          ...Object.keys(flags).map((name) => `--${name}`),
          ...Object.keys(args).map((name) => name.toUpperCase()),
        ];
        return known.has(parameter.split('.')[0] ?? '') && words.includes(word) ? [] : [`${parameter} -> ${word}`];
      });
    expect(broken(rule)).toEqual([]);
  });
});
