import { XMLParser, XMLValidator } from 'fast-xml-parser';
import { CloudError, errorText } from './errors.ts';

/** One element. Names keep their namespace prefix. `text` is the element's own text, entities decoded, untrimmed. */
export interface XmlElement {
  readonly name: string;
  readonly attributes: ReadonlyMap<string, string>;
  readonly children: readonly XmlElement[];
  readonly text: string;
}

/** Deeper than any document we read; the parser works by recursion. */
const MAX_DEPTH = 64;
const DEFAULT_MAX_BYTES = 8 * 1024 * 1024;
const NAMED: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };
const ATTRIBUTES = ':@';
const TEXT = '#text';
const CDATA = '#cdata';

// Entities stay off in the parser: the five predefined and the numeric ones are decoded here, others do not exist.
const parser = new XMLParser({
  preserveOrder: true,
  ignoreAttributes: false,
  attributeNamePrefix: '',
  parseTagValue: false,
  parseAttributeValue: false,
  trimValues: false,
  processEntities: false,
  ignoreDeclaration: true,
  ignorePiTags: true,
  cdataPropName: CDATA,
});

const malformed = (why: string): CloudError => new CloudError('MalformedRequest', `not well-formed XML: ${why}`);

/** Characters that XML 1.0 (section 2.2) can't carry in any form: most controls, lone surrogates, U+FFFE, U+FFFF. */
const ILLEGAL = /[^\t\n\r\u0020-\uD7FF\uE000-\uFFFD\u{10000}-\u{10FFFF}]/u;
const ILLEGAL_ALL = new RegExp(ILLEGAL.source, 'gu');

/** True when the text can't stand in an XML document, escaped or not. */
export function hasIllegalXmlCharacter(text: string): boolean {
  return ILLEGAL.test(text);
}

const ESCAPES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&apos;',
  '\r': '&#13;',
  '\n': '&#10;',
  '\t': '&#9;',
};

/** Anything but the printable characters of ASCII that stand for themselves: most texts have none, and are let through by this one look. */
const UNUSUAL = /[^ !#-%(-;=?-~]/;

/** Text for an element's body or a quoted attribute. White space survives attribute normalisation; illegal characters become U+FFFD. */
export function escapeXml(text: string): string {
  if (!UNUSUAL.test(text)) return text;
  return text.replace(ILLEGAL_ALL, '\uFFFD').replace(/[&<>"'\r\n\t]/g, (character) => ESCAPES[character] ?? character);
}

function decodeEntity(whole: string, body: string): string {
  const named = NAMED[body];
  if (named !== undefined) return named;
  const numeric = /^#(?:x([0-9a-fA-F]{1,6})|([0-9]{1,7}))$/.exec(body);
  if (numeric === null) throw malformed(`unknown entity ${whole}`);
  const code = numeric[1] === undefined ? Number(numeric[2]) : Number.parseInt(numeric[1], 16);
  const character = code <= 0x10ffff ? String.fromCodePoint(code) : '';
  if (character === '' || hasIllegalXmlCharacter(character)) throw malformed(`character reference ${whole}`);
  return character;
}

const decode = (text: string): string => text.replace(/&([^;&]{1,12});/g, decodeEntity);

type RawNode = Readonly<Record<string, unknown>>;

function textOf(nodes: readonly RawNode[]): string {
  let out = '';
  for (const node of nodes) {
    if (typeof node[TEXT] === 'string') out += decode(node[TEXT]);
    const cdata = node[CDATA] as readonly RawNode[] | undefined;
    for (const part of cdata ?? []) out += String(part[TEXT] ?? '');
  }
  return out;
}

function elementOf(node: RawNode, name: string, depth: number): XmlElement {
  if (depth > MAX_DEPTH) throw malformed(`more than ${MAX_DEPTH} levels`);
  const content = node[name] as readonly RawNode[];
  const raw = (node[ATTRIBUTES] ?? {}) as Readonly<Record<string, unknown>>;
  const attributes = new Map(Object.entries(raw).map(([key, value]) => [key, decode(String(value))]));
  return { name, attributes, children: elementsOf(content, depth + 1), text: textOf(content) };
}

function elementsOf(nodes: readonly RawNode[], depth: number): XmlElement[] {
  const out: XmlElement[] = [];
  for (const node of nodes) {
    const name = Object.keys(node).find((key) => key !== ATTRIBUTES);
    if (name !== undefined && name !== TEXT && name !== CDATA) out.push(elementOf(node, name, depth));
  }
  return out;
}

/** The parser throws errors of its own, for instance for names that JavaScript objects have already. */
function parseNodes(text: string): readonly RawNode[] {
  try {
    return parser.parse(text) as readonly RawNode[];
  } catch (error) {
    throw malformed(errorText(error));
  }
}

export interface XmlLimits {
  readonly maxBytes?: number;
  /** Opening and closing; absent: any number. Megabytes of nothing but tags take many seconds to read. */
  readonly maxTags?: number;
}

/** The root element. A DOCTYPE is refused whole. Errors: CloudError 'MalformedRequest', 'RequestTooLarge'. */
export function parseXml(text: string, { maxBytes = DEFAULT_MAX_BYTES, maxTags }: XmlLimits = {}): XmlElement {
  if (Buffer.byteLength(text) > maxBytes) throw new CloudError('RequestTooLarge', `XML of more than ${maxBytes} bytes`);
  if (maxTags !== undefined && text.split('<', maxTags + 2).length > maxTags + 1)
    throw new CloudError('MalformedRequest', `XML of more than ${maxTags} tags`);
  if (/<!DOCTYPE/i.test(text)) throw malformed('a DOCTYPE is not allowed');
  const verdict = XMLValidator.validate(text);
  if (verdict !== true) throw malformed(`line ${verdict.err.line}: ${verdict.err.msg}`);
  const [root, second] = elementsOf(parseNodes(text), 0);
  if (root === undefined || second !== undefined) throw malformed('exactly one root element is needed');
  return root;
}

/** The child elements of that name. */
export function xmlChildren(element: XmlElement, name: string): XmlElement[] {
  return element.children.filter((child) => child.name === name);
}

/** The first element at the path below `element`. */
export function xmlFind(element: XmlElement, ...path: readonly string[]): XmlElement | undefined {
  let at: XmlElement | undefined = element;
  for (const name of path) at = at?.children.find((child) => child.name === name);
  return at;
}

/** The trimmed text of the first element at the path. */
export function xmlText(element: XmlElement, ...path: readonly string[]): string | undefined {
  return xmlFind(element, ...path)?.text.trim();
}
