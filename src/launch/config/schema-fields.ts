import { z } from 'zod';

/** Kinds of values that several sections of the configuration have; their texts reach the administrator as they are. */
export const name = z
  .string()
  .regex(
    /^[a-z0-9][a-z0-9-]{0,62}$/,
    'must be 1 to 63 lower-case letters, digits or "-", starting with a letter or digit',
  );
export const whole = (min: number, max: number) => {
  const allowed = `must be a whole number, ${min} to ${max}`;
  return z.int(allowed).min(min, allowed).max(max, allowed);
};
export const oneOf = <const V extends readonly [string, ...string[]]>(...values: V) =>
  z.enum(values, `must be ${values.join(' or ')}`);
