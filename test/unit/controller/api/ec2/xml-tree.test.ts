import { describe, expect, it } from 'vitest';
import { renderElement } from '../../../../../src/controller/api/ec2/xml-tree.ts';

describe('renderElement', () => {
  it('writes objects as elements, lists as items, and leaves out what is undefined', () => {
    const tree = { a: 'x', b: [{ c: 1 }, { c: true }], d: undefined, e: { f: { g: 0 } } };
    expect(renderElement('Root', tree)).toBe(
      '<Root><a>x</a><b><item><c>1</c></item><item><c>true</c></item></b><e><f><g>0</g></f></e></Root>',
    );
    expect(renderElement('Root', undefined)).toBe('');
  });

  it('writes what has nothing in it as one tag', () => {
    expect(renderElement('r', { a: '', b: [], c: {}, d: { e: undefined }, f: [undefined] })).toBe(
      '<r><a/><b/><c/><d/><f/></r>',
    );
    expect(renderElement('r', {}, ' x="1"')).toBe('<r x="1"/>');
  });

  it('writes attributes where they were given, and there alone', () => {
    const first = renderElement('r', { r: 'in' }, ' xmlns="n"');
    expect(first).toBe('<r xmlns="n"><r>in</r></r>');
    expect(renderElement('r', { r: 'in' })).toBe('<r><r>in</r></r>');
    expect(renderElement('r', { r: 'in' }, ' xmlns="n"')).toBe(first);
  });

  it('escapes texts', () => {
    expect(renderElement('r', { a: '<&>', b: ['"'] })).toBe('<r><a>&lt;&amp;&gt;</a><b><item>&quot;</item></b></r>');
  });

  it('writes more names than it remembers the tags of', () => {
    const names = Array.from({ length: 10_000 }, (_, index) => `n${index}`);
    const text = renderElement('r', Object.fromEntries(names.map((name) => [name, name])));
    expect(text).toBe(`<r>${names.map((name) => `<${name}>${name}</${name}>`).join('')}</r>`);
  });
});
