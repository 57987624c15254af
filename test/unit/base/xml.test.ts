import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isCode } from '../../../src/base/errors.ts';
import { escapeXml, hasIllegalXmlCharacter, parseXml, xmlChildren, xmlFind, xmlText } from '../../../src/base/xml.ts';

function codeOf(run: () => unknown): string | undefined {
  try {
    run();
  } catch (error) {
    return isCode(error, 'MalformedRequest', 'RequestTooLarge') ? error.code : String(error);
  }
  return undefined;
}

describe('parseXml', () => {
  it('gives names, attributes, children in order and own text', () => {
    const root = parseXml(`<?xml version="1.0"?><!-- c --><a x='1' y="&lt;2&gt;"><b>one</b>t<c/><b> two </b>u</a>`);
    expect(root.name).toBe('a');
    expect(Object.fromEntries(root.attributes)).toEqual({ x: '1', y: '<2>' });
    expect(root.children.map((child) => child.name)).toEqual(['b', 'c', 'b']);
    expect(root.text).toBe('tu');
    expect(xmlChildren(root, 'b').map((child) => child.text)).toEqual(['one', ' two ']);
    expect(xmlText(root, 'b')).toBe('one');
    expect(xmlFind(root, 'b', 'nothing')).toBeUndefined();
  });

  it('takes numbers, booleans and white space as the texts they are', () => {
    const root = parseXml('<a b="007"><c>1e3</c><d> true </d></a>');
    expect(root.attributes.get('b')).toBe('007');
    expect(xmlFind(root, 'c')?.text).toBe('1e3');
    expect(xmlFind(root, 'd')?.text).toBe(' true ');
  });

  it('decodes the predefined and numeric entities once, and leaves CDATA alone', () => {
    expect(parseXml('<a>&amp;lt; &#65;&#x42; &quot;&apos;<![CDATA[&amp;<x>]]></a>').text).toBe(`&lt; AB "'&amp;<x>`);
  });

  it.each([
    ['an entity of its own', '<a>&own;</a>'],
    ['a DOCTYPE', '<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>'],
    ['a lower-case doctype', '<!doctype a><a/>'],
    ['an unclosed element', '<a><b></a>'],
    ['two roots', '<a/><b/>'],
    ['nothing', ''],
    ['plain text', 'hello'],
    ['a reference to NUL', '<a>&#0;</a>'],
    ['a reference beyond Unicode', '<a>&#x110000;</a>'],
    ['too many levels', '<a>'.repeat(100) + '</a>'.repeat(100)],
  ])('refuses %s', (_what, text) => {
    expect(codeOf(() => parseXml(text))).toBe('MalformedRequest');
  });

  it('refuses more bytes than asked for', () => {
    expect(codeOf(() => parseXml(`<a>${'ä'.repeat(60)}</a>`, { maxBytes: 100 }))).toBe('RequestTooLarge');
  });

  it.each(['<a constructor="1"/>', '<a><__proto__ x="1"/></a>', '<a __proto__="1"/>'])(
    'refuses names that JavaScript objects have already: %s',
    (text) => {
      expect(codeOf(() => parseXml(text))).toBe('MalformedRequest');
    },
  );
});

describe('escapeXml', () => {
  it('comes back through the parser, in an element and in an attribute', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        fc.pre(!hasIllegalXmlCharacter(text));
        const root = parseXml(`<a b="${escapeXml(text)}" c='${escapeXml(text)}'>${escapeXml(text)}</a>`);
        expect([root.attributes.get('b'), root.attributes.get('c'), root.text]).toEqual([text, text, text]);
      }),
      { numRuns: 500 },
    );
  });

  it('leaves what is plain as it is, and only that', () => {
    const ascii = Array.from({ length: 128 }, (_, code) => String.fromCharCode(code));
    const changed = ascii.filter((character) => escapeXml(character) !== character);
    expect(changed.filter((character) => character >= ' ')).toEqual(['"', '&', "'", '<', '>']);
    expect(changed.filter((character) => character < ' ')).toEqual(ascii.slice(0, 32));
    expect(escapeXml('grüße, \u{1F600}')).toBe('grüße, \u{1F600}');
  });

  it('puts U+FFFD where XML allows no character', () => {
    expect(escapeXml('a\u0000b\u001b\uD800')).toBe('a\uFFFDb\uFFFD\uFFFD');
  });
});
