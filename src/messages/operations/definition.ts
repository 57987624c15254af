import type { z } from 'zod';
import type { AccessRule } from '../../domain/access-rules.ts';

/**
 * One operation as every edge and the client see it. `name` is EC2's action name where EC2 has one, and so are the input's parameter names;
 * the output's names are those of EC2's XML (lower camel case). The handler is the controller's (src/controller/operations).
 */
export interface OperationDefinition<I extends z.ZodType = z.ZodType, O extends z.ZodType = z.ZodType> {
  readonly name: string;
  readonly summary: string;
  /** `stream`: the answer is a sequence of outputs (NDJSON on the wire). `duplex`: bytes both ways (HTTP Upgrade). */
  readonly kind: 'unary' | 'stream' | 'duplex';
  /** True when it changes state: it then runs in the controller, is recorded, and takes a ClientToken. */
  readonly changes: boolean;
  /** Which row of the table of rules says who may call it. */
  readonly access: AccessRule;
  /** A change that is also taken while the cloud waits for its restored store to be adopted. */
  readonly whileHeld?: boolean;
  readonly input: I;
  readonly output: O;
  /** The answer holds a secret: it is never stored, so a repeated token can't be answered again. */
  readonly secretAnswer?: boolean;
  /** Inputs that are secrets: no record may hold even their hash, from which a weak one can be guessed. */
  readonly secretInputs?: readonly string[];
}

/** Keeps the precise types of the schemas, and of what tells a reading operation from a changing one. */
export function defineOperation<
  const K extends 'unary' | 'stream' | 'duplex',
  const C extends boolean,
  I extends z.ZodType,
  O extends z.ZodType,
>(
  definition: OperationDefinition<I, O> & { readonly kind: K; readonly changes: C },
): OperationDefinition<I, O> & { readonly kind: K; readonly changes: C } {
  return definition;
}
