import { CloudError } from '../../../base/errors.ts';

interface Node {
  value?: string;
  /** Another part of the name -> what it holds. */
  readonly children: Map<string, Node>;
  read: boolean;
}

const newNode = (): Node => ({ children: new Map(), read: false });
const MAX_DEPTH = 8;
const MAX_LIST = 1000;

/**
 * A request's parameters by name, nested by the points in their names: `Filter.1.Value.2`, `IpPermissions.1.IpRanges.1.CidrIp`. Lists are in the
 * order of their numbers, gaps allowed. Names are EC2's, case matters. What was asked for is noted, so that a parameter which nobody
 * understood can be refused by name (`unread`).
 * Errors: 'InvalidParameterValue', 'MissingParameter', 'InvalidParameterCombination' (a name that has a value and members), 'MalformedRequest'.
 */
export class Params {
  readonly #node: Node;
  readonly #prefix: string;

  private constructor(node: Node, prefix: string) {
    this.#node = node;
    this.#prefix = prefix;
  }

  /** From name and value pairs, of which no name comes twice (the caller has refused that). */
  static of(pairs: Iterable<readonly [string, string]>): Params {
    const root = newNode();
    for (const [name, value] of pairs) {
      const parts = name.split('.');
      if (parts.length > MAX_DEPTH || parts.includes('')) {
        throw new CloudError('MalformedRequest', `${JSON.stringify(name.slice(0, 128))} is no name of a parameter`);
      }
      let node = root;
      for (const part of parts) {
        const known = node.children.get(part);
        const next = known ?? newNode();
        if (known === undefined) node.children.set(part, next);
        node = next;
      }
      node.value = value;
    }
    return new Params(root, '');
  }

  /** The parameter's whole name, as the caller wrote it. */
  named(name: string): string {
    return `${this.#prefix}${name}`;
  }

  has(name: string): boolean {
    return this.#node.children.has(name);
  }

  text(name: string): string | undefined {
    const node = this.#node.children.get(name);
    if (node === undefined) return undefined;
    if (node.children.size > 0) {
      throw new CloudError('InvalidParameterCombination', `${this.named(name)}: must be one value and have no members`);
    }
    node.read = true;
    return node.value;
  }

  need(name: string): string {
    const value = this.text(name);
    if (value === undefined || value === '') {
      throw new CloudError('MissingParameter', `${this.named(name)}: is needed`, {
        details: { parameter: this.named(name) },
      });
    }
    return value;
  }

  int(name: string): number | undefined {
    const value = this.text(name);
    if (value === undefined) return undefined;
    if (!/^-?\d{1,15}$/.test(value))
      throw this.bad(name, `must be a whole number, not ${JSON.stringify(value.slice(0, 64))}`);
    return Number(value);
  }

  bool(name: string): boolean | undefined {
    const value = this.text(name)?.toLowerCase();
    if (value === undefined) return undefined;
    if (value === 'true' || value === '1') return true;
    if (value === 'false' || value === '0') return false;
    throw this.bad(name, `must be true or false, not ${JSON.stringify(value.slice(0, 64))}`);
  }

  /** `Name.1`, `Name.2`…; a plain `Name` is a list of one. Absent: undefined. */
  list(name: string): string[] | undefined {
    const node = this.#node.children.get(name);
    if (node === undefined) return undefined;
    if (node.children.size === 0) return [this.text(name) ?? ''];
    return this.#members(name, node).map(({ at }) => {
      const text = new Params(node, `${this.named(name)}.`).text(at);
      return text ?? '';
    });
  }

  /** `Name.X`: the group of parameters under a name. Absent: undefined. */
  struct(name: string): Params | undefined {
    const node = this.#node.children.get(name);
    if (node === undefined) return undefined;
    if (node.value !== undefined) throw this.bad(name, 'must have members and no value of its own');
    node.read = true;
    return new Params(node, `${this.named(name)}.`);
  }

  /** `Name.1.X`, `Name.2.X`…: the groups of a list; none: empty. */
  structs(name: string): Params[] {
    const node = this.#node.children.get(name);
    if (node === undefined) return [];
    return this.#members(name, node).map(({ at, node: member }) => {
      if (member.value !== undefined) throw this.bad(`${name}.${at}`, 'must have members and no value of its own');
      member.read = true;
      return new Params(member, `${this.named(name)}.${at}.`);
    });
  }

  /** Names of the parameters that nobody asked for. */
  unread(): string[] {
    const found: string[] = [];
    const look = (node: Node, name: string): void => {
      if (node.value !== undefined && !node.read) found.push(name);
      for (const [part, child] of node.children) look(child, name === '' ? part : `${name}.${part}`);
    };
    look(this.#node, '');
    return found;
  }

  bad(name: string, message: string): CloudError {
    const whole = this.named(name);
    return new CloudError('InvalidParameterValue', `${whole}: ${message}`, { details: { parameter: whole } });
  }

  #members(name: string, node: Node): { at: string; node: Node }[] {
    if (node.value !== undefined) throw this.bad(name, 'must have members and no value of its own');
    const members = [...node.children].map(([at, child]) => {
      if (!/^(0|[1-9]\d{0,6})$/.test(at)) throw this.bad(`${name}.${at}`, 'must be numbered, like .1, .2');
      return { at, node: child };
    });
    if (members.length > MAX_LIST)
      throw this.bad(name, `has ${members.length} members; at most ${MAX_LIST} are allowed`);
    return members.toSorted((a, b) => Number(a.at) - Number(b.at));
  }
}
