/** A broken promise of our own code: never the user's fault, never caught to go on. */
export class AssertionFailure extends Error {
  override readonly name = 'AssertionFailure';
}

/** Kept on in production: an impossible state must stop the work that met it. */
export function assert(condition: unknown, message: string): asserts condition {
  if (condition !== true && !condition) throw new AssertionFailure(message);
}

/** Ends every switch over a union. */
export function unreachable(value: never): never {
  throw new AssertionFailure(`unreachable: ${JSON.stringify(value)}`);
}
