import { unsendable, type XdrReader, type XdrWriter } from './xdr.ts';

/** How a value of type T stands on the wire. */
export interface Codec<T> {
  readonly write: (writer: XdrWriter, value: T) => void;
  readonly read: (reader: XdrReader) => T;
}

export type Decoded<C> = C extends Codec<infer T> ? T : never;

export const int: Codec<number> = { write: (w, v) => w.int(v), read: (r) => r.int() };
export const uint: Codec<number> = { write: (w, v) => w.uint(v), read: (r) => r.uint() };
export const hyper: Codec<bigint> = { write: (w, v) => w.hyper(v), read: (r) => r.hyper() };
export const uhyper: Codec<bigint> = { write: (w, v) => w.uhyper(v), read: (r) => r.uhyper() };

/** string<maxBytes>: UTF-8, no NUL at the end. */
export const string = (maxBytes?: number): Codec<string> => ({
  write: (w, v) => w.string(v, maxBytes),
  read: (r) => r.string(maxBytes),
});

export const text = string();

/** XDR optional: u32 0, or 1 and the value. */
export const optional = <T>(item: Codec<T>): Codec<T | undefined> => ({
  write: (w, v) => {
    w.uint(v === undefined ? 0 : 1);
    if (v !== undefined) item.write(w, v);
  },
  read: (r) => {
    const present = r.uint();
    if (present > 1) throw r.malformed(`optional flag ${present}`);
    return present === 1 ? item.read(r) : undefined;
  },
});

/** item<limit>: u32 count, then the items. */
export const array = <T>(item: Codec<T>, limit: number): Codec<T[]> => ({
  write: (w, v) => {
    if (v.length > limit) throw unsendable(`array of ${v.length} items, at most ${limit} are allowed`);
    w.uint(v.length);
    for (const one of v) item.write(w, one);
  },
  read: (r) => {
    const count = r.count(limit, 'array');
    const out: T[] = [];
    for (let i = 0; i < count; i += 1) out.push(item.read(r));
    return out;
  },
});

/** char[length]: libvirt's protocol writes ONE 4-BYTE WORD PER CHARACTER; read up to the first NUL. */
export const charArray = (length: number): Codec<string> => ({
  write: (w, v) => {
    for (let i = 0; i < length; i += 1) w.int(i < v.length ? v.charCodeAt(i) & 0x7f : 0);
  },
  read: (r) => {
    const codes: number[] = [];
    for (let i = 0; i < length; i += 1) codes.push(r.int() & 0xff);
    const end = codes.indexOf(0);
    return String.fromCharCode(...(end < 0 ? codes : codes.slice(0, end)));
  },
});

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** opaque[16] <-> the usual text form of a UUID, lower case. */
export const uuid: Codec<string> = {
  write: (w, v) => {
    if (!UUID.test(v)) throw unsendable(`${JSON.stringify(v)} is no UUID`);
    w.fixed(Buffer.from(v.replaceAll('-', ''), 'hex'));
  },
  read: (r) => {
    const hex = r.fixed(16).toString('hex');
    return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
  },
};

/** Fields one after another, in the order in which they are written here. */
export function struct<T extends object>(fields: { readonly [K in keyof T]: Codec<T[K]> }): Codec<T> {
  const names = Object.keys(fields) as (keyof T)[];
  return {
    write: (w, value) => {
      for (const name of names) fields[name].write(w, value[name]);
    },
    read: (r) => {
      const out: Partial<T> = {};
      for (const name of names) out[name] = fields[name].read(r);
      return out as T;
    },
  };
}

/** No bytes at all. */
export const nothing: Codec<void> = { write: () => undefined, read: () => undefined };

/** A named value whose wire type must be exactly the one libvirt declares for the name. */
export type TypedParam = { readonly field: string } & (
  | { readonly type: 'int' | 'uint' | 'double'; readonly value: number }
  | { readonly type: 'llong' | 'ullong'; readonly value: bigint }
  | { readonly type: 'boolean'; readonly value: boolean }
  | { readonly type: 'string'; readonly value: string }
);

/** virTypedParameterType: the discriminant on the wire of each arm. */
const TYPED_ARM = { int: 1, uint: 2, llong: 3, ullong: 4, double: 5, boolean: 6, string: 7 } as const;
const FIELD_MAX_BYTES = 79;

const READ_ARM: Readonly<Record<number, (field: string, r: XdrReader) => TypedParam>> = {
  1: (field, r) => ({ field, type: 'int', value: r.int() }),
  2: (field, r) => ({ field, type: 'uint', value: r.uint() }),
  3: (field, r) => ({ field, type: 'llong', value: r.hyper() }),
  4: (field, r) => ({ field, type: 'ullong', value: r.uhyper() }),
  5: (field, r) => ({ field, type: 'double', value: r.double() }),
  6: (field, r) => ({ field, type: 'boolean', value: r.int() !== 0 }),
  7: (field, r) => ({ field, type: 'string', value: r.string() }),
};

function writeArm(w: XdrWriter, param: TypedParam): void {
  switch (param.type) {
    case 'int':
      return w.int(param.value);
    case 'uint':
      return w.uint(param.value);
    case 'llong':
      return w.hyper(param.value);
    case 'ullong':
      return w.uhyper(param.value);
    case 'double':
      return w.double(param.value);
    case 'boolean':
      return w.int(param.value ? 1 : 0);
    case 'string':
      return w.string(param.value);
  }
}

/** {field string<79>, union by i32 type}. */
export const typedParam: Codec<TypedParam> = {
  write: (w, param) => {
    w.string(param.field, FIELD_MAX_BYTES);
    w.int(TYPED_ARM[param.type]);
    writeArm(w, param);
  },
  read: (r) => {
    const field = r.string(FIELD_MAX_BYTES);
    const type = r.int();
    const arm = READ_ARM[type];
    if (arm === undefined) throw r.malformed(`typed parameter ${field} of unknown type ${type}`);
    return arm(field, r);
  },
};
