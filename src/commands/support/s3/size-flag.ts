import { Flags } from '@oclif/core';
import { CloudError } from '../../../base/errors.ts';
import { GIB, KIB, MIB } from '../../../base/units.ts';
import { printable } from '../printable.ts';

const UNITS: Readonly<Record<string, number>> = { '': 1, B: 1, K: KIB, M: MIB, G: GIB, T: 1024 * GIB };

/** `1048576`, `10G` or `1.5GiB` as bytes; undefined when it is none of them. */
export function parseBytes(text: string): number | undefined {
  const [, digits = '', unit = ''] = /^(\d{1,15}(?:\.\d{1,3})?) ?(B|[KMGT](?:iB)?)?$/.exec(text) ?? [];
  const scale = digits === '' ? undefined : UNITS[unit.slice(0, 1)];
  const bytes = scale === undefined ? Number.NaN : Math.round(Number(digits) * scale);
  return Number.isSafeInteger(bytes) ? bytes : undefined;
}

const refuse = (name: string, allowed: string, given: string): CloudError => {
  const line = `--${name} must be ${allowed}, not "${printable(given)}"`;
  return new CloudError('InvalidParameterValue', line, { details: { line } });
};

type Limit = number | 'none';

/** A limit of bytes, or `none`. */
export const bytesFlag = (name: string, description: string) =>
  Flags.custom<Limit>({
    helpValue: 'SIZE',
    parse: (text) => {
      const value = text === 'none' ? text : parseBytes(text);
      if (value === undefined) throw refuse(name, 'a size like 1048576, 500M, 10GiB or 2T, or none', text);
      return Promise.resolve(value);
    },
  })({ description });

/** A limit of things, or `none`. */
export const countFlag = (name: string, description: string) =>
  Flags.custom<Limit>({
    helpValue: 'N',
    parse: (text) => {
      const value = text === 'none' ? text : /^\d{1,15}$/.test(text) ? Number(text) : undefined;
      if (value === undefined) throw refuse(name, 'a whole number, or none', text);
      return Promise.resolve(value);
    },
  })({ description });
