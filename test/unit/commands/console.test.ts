import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { lastLines } from '../../../src/commands/instance/log.ts';
import { controlKey, controlKeyName, splitTyped, type Typed } from '../../../src/commands/support/console-keys.ts';
import { TerminalAftercare } from '../../../src/commands/support/terminal-aftercare.ts';

const KEYS = { detach: 0x1d, size: 0x1e };
const words = (typed: readonly Typed[]): string[] =>
  typed.map((one) => (one.kind === 'text' ? one.bytes.toString('latin1') : `<${one.kind}>`));

describe('the keys of a console', () => {
  it.each([
    ['^]', 0x1d, 'ctrl-]'],
    ['^A', 0x01, 'ctrl-a'],
    ['^a', 0x01, 'ctrl-a'],
    ['^^', 0x1e, 'ctrl-^'],
    ['^@', 0x00, 'ctrl-@'],
    ['^_', 0x1f, 'ctrl-_'],
  ])('%s is the byte %i', (text, byte, name) => {
    expect(controlKey('--escape', text)).toBe(byte);
    expect(controlKeyName(byte)).toBe(name);
  });

  it.each(['', ']', '^', '^1', '^AB', 'ctrl-a', '^['.repeat(2)])('%j is none', (text) => {
    expect(() => controlKey('--escape', text)).toThrow('--escape must be ^ and one of');
  });

  it('are cut out of what is typed; nothing behind the one that leaves is kept', () => {
    expect(words(splitTyped(Buffer.from('ls\r\x1eps\x1dlost'), KEYS))).toEqual(['ls\r', '<size>', 'ps', '<detach>']);
    expect(words(splitTyped(Buffer.from('\x1d'), KEYS))).toEqual(['<detach>']);
    expect(words(splitTyped(Buffer.from('a\x1eb'), { detach: 0x1d, size: undefined }))).toEqual(['a\x1eb']);
  });

  it('leave everything else as it is', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        const kept = splitTyped(Buffer.from(bytes), KEYS).flatMap((one) => (one.kind === 'text' ? [...one.bytes] : []));
        const end = bytes.indexOf(KEYS.detach);
        expect(kept).toEqual([...(end < 0 ? bytes : bytes.slice(0, end))].filter((byte) => byte !== KEYS.size));
      }),
    );
  });
});

describe('a terminal after a guest', () => {
  const seen = (...texts: string[]): TerminalAftercare => {
    const care = new TerminalAftercare();
    for (const text of texts) care.see(Buffer.from(text, 'latin1'));
    return care;
  };

  it('leaves the alternate screen only when the guest is on it', () => {
    expect(seen('plain').restore()).not.toContain('1049');
    // A guest's tmux sets a scrolling region, a binary file the letters that draw lines.
    expect(seen('\x1b[1;23r\x1b(0\x0e').restore()).toContain('\x1b7\x1b[r\x1b8\x1b(B\x0f');
    expect(seen('\x1b[?1049h vi').restore()).toMatch(/^\x1b\[\?1049l/);
    expect(seen('\x1b[?10', '49h vi').restore()).toMatch(/^\x1b\[\?1049l/);
    expect(seen('\x1b[?1049h vi', '\x1b[?1049l').restore()).not.toContain('1049');
  });

  it('knows that answers are still to come', () => {
    const care = seen('# \x1b[', '6n', '\x1b[c');
    expect(care.owed).toBe(true);
    care.hear(Buffer.from('\x1b[24;80R'));
    expect(care.owed).toBe(true);
    care.hear(Buffer.from('\x1b[?1;2c'));
    expect(care.owed).toBe(false);
    expect(seen('no question').owed).toBe(false);
  });
});

describe('the last lines of a log', () => {
  it.each([
    ['a\nb\nc\n', 2, 'b\nc\n'],
    ['a\nb\nc', 2, 'b\nc'],
    ['a\nb\n', 9, 'a\nb\n'],
    ['a\nb\n', 0, ''],
    ['', 3, ''],
    ['\n\n\n', 2, '\n\n'],
  ])('%j, %i of them', (text, count, last) => {
    expect(lastLines(Buffer.from(text), count).toString()).toBe(last);
  });
});
