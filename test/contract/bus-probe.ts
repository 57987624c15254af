import type { Json } from '../../src/base/json.ts';
import type { Bus, BUS_LIMITS, Envelope, Handler } from '../../src/ports/bus.ts';
import { until } from '../support/until.ts';

export interface BusSubject {
  /** Two ends of one bus: two connections where there is a broker, perhaps the same object where there is none. */
  readonly client: Bus;
  readonly server: Bus;
  close(): Promise<void>;
}

/** Short times, so that redelivery can be waited for; adapters whose broker fixes one of them may round it up. */
export const CONTRACT_LIMITS = { redeliveryDelayMs: 20, ackTimeoutMs: 300 } satisfies Partial<
  Record<keyof typeof BUS_LIMITS, number>
>;

/** A handler that waits for `open` each time it is called. */
export class Gate {
  readonly entered: Json[] = [];
  #release: (() => void)[] = [];
  readonly handler: Handler = async (body) => {
    this.entered.push(body);
    await new Promise<void>((resolve) => this.#release.push(resolve));
    return body;
  };
  open(): void {
    for (const release of this.#release.splice(0)) release();
  }
  reached(count: number): Promise<boolean> {
    return until(() => this.entered.length >= count, { what: `${count} messages are being handled`, everyMs: 2 });
  }
}

/** A handler that keeps what it gets. */
export function collector(): {
  handler: Handler;
  bodies: Json[];
  envelopes: Envelope[];
  got(count: number): Promise<boolean>;
} {
  const bodies: Json[] = [];
  const envelopes: Envelope[] = [];
  const handler: Handler = async (body, envelope) => {
    bodies.push(body);
    envelopes.push(envelope);
    return undefined;
  };
  const got = (count: number): Promise<boolean> =>
    until(() => bodies.length >= count, { what: `${count} messages came`, everyMs: 2 });
  return { handler, bodies, envelopes, got };
}

export const CALL = { timeoutMs: 5000 };
