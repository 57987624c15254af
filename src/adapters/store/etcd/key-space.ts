import { prefixEnd } from '../../../base/sorted-map.ts';
import { CloudError } from '../../../base/errors.ts';

/** Where the keys of one cloud stand in etcd: records under `<prefix>d/`, what transactions are known again by under `<prefix>t/`. */
export class KeySpace {
  /** All keys of the cloud. */
  readonly all: { readonly key: string; readonly rangeEnd: string };
  /** The records alone. */
  readonly records: { readonly key: string; readonly rangeEnd: string };
  /** Asked for when only the header counts; never there. */
  readonly nothing: string;
  readonly #data: string;
  readonly #tokens: string;

  /** `prefix` ends with '/'. */
  constructor(prefix: string) {
    if (!prefix.endsWith('/')) {
      throw new CloudError('InvalidParameterValue', `the prefix of keys in etcd must end with "/": ${prefix}`);
    }
    this.#data = `${prefix}d/`;
    this.#tokens = `${prefix}t/`;
    this.all = span(prefix);
    this.records = span(this.#data);
    this.nothing = `${this.#tokens}-`;
  }

  /** The key in etcd of a record. */
  record(key: string): string {
    return this.#data + key;
  }

  token(name: string): string {
    return this.#tokens + name;
  }

  /** The record's key; undefined for anything else. */
  recordKey(etcdKey: string): string | undefined {
    return etcdKey.startsWith(this.#data) ? etcdKey.slice(this.#data.length) : undefined;
  }
}

function span(prefix: string): { key: string; rangeEnd: string } {
  return { key: prefix, rangeEnd: prefixEnd(prefix) ?? '\0' };
}
