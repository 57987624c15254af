import type { Clock } from './clock.ts';

/** A call has ended: `result` is what it resolved with, or `error` what it failed with. */
export interface MeasuredCall {
  readonly method: string;
  readonly args: readonly unknown[];
  readonly tookMs: number;
  readonly result?: unknown;
  readonly error?: unknown;
}

/** The same object, with the named methods (that answer a promise) timed. Others are called as they are. */
export function measured<T extends object>(
  target: T,
  methods: readonly (keyof T & string)[],
  clock: Clock,
  onCall: (call: MeasuredCall) => void,
): T {
  const timed = new Set<PropertyKey>(methods);
  const bound = new Map<PropertyKey, { readonly from: unknown; readonly call: unknown }>();
  return new Proxy(target, {
    get(_, property) {
      // Private fields belong to the target alone, so its methods and accessors must see it as `this`.
      const value: unknown = Reflect.get(target, property, target);
      if (typeof value !== 'function') return value;
      const known = bound.get(property);
      if (known?.from === value) return known.call;
      const plain = (value as (...args: unknown[]) => unknown).bind(target);
      const call = timed.has(property) ? timing(String(property), plain, clock, onCall) : plain;
      bound.set(property, { from: value, call });
      return call;
    },
  });
}

function timing(
  method: string,
  call: (...args: unknown[]) => unknown,
  clock: Clock,
  onCall: (call: MeasuredCall) => void,
): (...args: unknown[]) => unknown {
  return (...args) => {
    const startedMs = clock.monotonicMs();
    const ended = (how: { result?: unknown; error?: unknown }): void =>
      onCall({ method, args, tookMs: clock.monotonicMs() - startedMs, ...how });
    const answer = call(...args) as Promise<unknown>;
    answer.then(
      (result) => ended({ result }),
      (error: unknown) => ended({ error }),
    );
    return answer;
  };
}
