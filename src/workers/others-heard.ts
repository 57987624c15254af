import type { Bus, Subscription } from '../ports/bus.ts';
import { TOPIC, WorkerHello } from '../messages/worker.ts';

/** Listens for workers that could take the hosts of this one over: alive, staying, and of a kind that it is. Only while it leaves: all reports of the cloud come this way. */
export class OthersHeard {
  #any = false;
  #subscription: Subscription | undefined;

  async listen(bus: Bus, own: { readonly workerId: string; readonly kinds: readonly string[] }): Promise<void> {
    this.#subscription = await bus.subscribe(TOPIC.reports, {
      'worker-hello': (body) => {
        const { workerId, leaving, kinds } = WorkerHello.parse(body);
        if (workerId !== own.workerId && !leaving && kinds.some((kind) => own.kinds.includes(kind))) this.#any = true;
        return Promise.resolve(undefined);
      },
      'host-report': () => Promise.resolve(undefined),
      progress: () => Promise.resolve(undefined),
      'service-hello': () => Promise.resolve(undefined),
    });
  }

  get any(): boolean {
    return this.#any;
  }

  async close(): Promise<void> {
    await this.#subscription?.close();
  }
}
