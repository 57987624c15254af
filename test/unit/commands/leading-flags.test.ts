import { describe, expect, it } from 'vitest';
import { globalFlags } from '../../../src/commands/support/flags.ts';
import { leadingFlagsLast, VALUE_FLAGS } from '../../../src/commands/support/leading-flags.ts';

describe('flags before the command', () => {
  it.each([
    ['--context prod instance list', 'instance list --context prod'],
    ['--json -o yaml instance list --all', 'instance list --all --json -o yaml'],
    ['--context=prod instance ssh i-1 -- ls -l', 'instance ssh i-1 --context=prod -- ls -l'],
    ['instance list --json', 'instance list --json'],
    ['--help', '--help'],
    ['--context', '--context'],
    ['-- instance list', '-- instance list'],
    ['', ''],
  ])('"%s" means "%s"', (given, meant) => {
    const words = (text: string): string[] => text.split(' ').filter((word) => word !== '');
    expect(leadingFlagsLast(words(given))).toEqual(words(meant));
  });

  it('all that take a value are known', () => {
    const taking = Object.entries(globalFlags).flatMap(([name, flag]) =>
      flag.type === 'option' ? [...(flag.char === undefined ? [] : [`-${flag.char}`]), `--${name}`] : [],
    );
    expect(taking.toSorted()).toEqual([...VALUE_FLAGS].toSorted());
  });
});
