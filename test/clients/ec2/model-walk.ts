import type { XmlElement } from '../../../src/base/xml.ts';

/** A shape of botocore's model, as far as answers are concerned. */
export interface Shape {
  readonly type: string;
  readonly members?: Readonly<Record<string, { readonly shape: string; readonly locationName?: string }>>;
  readonly member?: { readonly shape: string; readonly locationName?: string };
  readonly flattened?: boolean;
  readonly enum?: readonly string[];
}

export interface Model {
  /** Operation -> the shape of its answer; null: it answers nothing. */
  readonly operations: Readonly<Record<string, string | null>>;
  readonly shapes: Readonly<Record<string, Shape>>;
}

const TEXT: Readonly<Record<string, RegExp>> = {
  boolean: /^(true|false)$/,
  integer: /^-?\d+$/,
  long: /^-?\d+$/,
  float: /^-?\d+(\.\d+)?$/,
  double: /^-?\d+(\.\d+)?$/,
  timestamp: /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/,
  blob: /^([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/,
  string: /^/,
};

/** What EC2 has in answers of any action beside what the model says. */
const OF_EVERY_ANSWER: Readonly<Record<string, RegExp>> = {
  requestId: /^req-[0-9a-f]{17}$/,
  return: /^true$/,
};

/** Everything in an answer that the model does not have, or has otherwise. */
export function walkAnswer(model: Model, action: string, answer: XmlElement): string[] {
  const problems: string[] = [];
  if (answer.name !== `${action}Response`) problems.push(`${action}: the answer is called ${answer.name}`);
  const known = Object.hasOwn(model.operations, action);
  if (!known) return [...problems, `${action}: not an operation of the model`];
  const shape = model.operations[action] ?? undefined;
  const members = shape === undefined ? {} : (model.shapes[shape]?.members ?? {});
  const names = new Set(Object.entries(members).map(([name, { locationName }]) => locationName ?? name));
  const own = answer.children.filter(({ name, text }) => {
    const pattern = OF_EVERY_ANSWER[name];
    if (pattern === undefined || names.has(name)) return true;
    if (!pattern.test(text)) problems.push(`${action}.${name}: is ${JSON.stringify(text)}`);
    return false;
  });
  walkStructure({ model, problems }, members, { ...answer, children: own }, action);
  return problems;
}

interface Walk {
  readonly model: Model;
  readonly problems: string[];
}

function walkStructure(walk: Walk, members: NonNullable<Shape['members']>, element: XmlElement, path: string): void {
  const byName = new Map(Object.entries(members).map(([name, ref]) => [ref.locationName ?? name, ref.shape]));
  const seen = new Set<string>();
  if (element.text.trim() !== '') walk.problems.push(`${path}: has text, and must have members`);
  for (const child of element.children) {
    const at = `${path}.${child.name}`;
    const name = byName.get(child.name);
    if (seen.has(child.name)) walk.problems.push(`${at}: is there twice`);
    seen.add(child.name);
    if (name !== undefined) walkShape(walk, name, child, at);
    else walk.problems.push(`${at}: the model does not know it`);
  }
}

function walkShape(walk: Walk, name: string, element: XmlElement, path: string): void {
  const shape = walk.model.shapes[name];
  if (shape === undefined) return void walk.problems.push(`${path}: there is no shape ${name}`);
  if (shape.type === 'structure') return walkStructure(walk, shape.members ?? {}, element, path);
  if (shape.type === 'list') return walkList(walk, shape, element, path);
  const pattern = TEXT[shape.type];
  const { text } = element;
  if (element.children.length > 0) walk.problems.push(`${path}: has members, and must be a ${shape.type}`);
  if (pattern?.test(text) !== true) walk.problems.push(`${path}: ${JSON.stringify(text)} is no ${shape.type}`);
  if (shape.enum === undefined || shape.enum.includes(text)) return;
  const some = shape.enum.slice(0, 8).join(', ');
  walk.problems.push(
    `${path}: ${JSON.stringify(text)} is none of ${name} (${some}${shape.enum.length > 8 ? ', ...' : ''})`,
  );
}

function walkList(walk: Walk, shape: Shape, element: XmlElement, path: string): void {
  if (shape.member === undefined) return void walk.problems.push(`${path}: a list of nothing`);
  if (shape.flattened === true) return walkShape(walk, shape.member.shape, element, path);
  if (element.text.trim() !== '') walk.problems.push(`${path}: has text, and must be a list`);
  const name = shape.member.locationName ?? 'member';
  for (const child of element.children) {
    if (child.name === name) walkShape(walk, shape.member.shape, child, `${path}.${name}`);
    else walk.problems.push(`${path}.${child.name}: the members of this list are called ${name}`);
  }
}
