import type { Clock } from '../base/clock.ts';
import { asCloudError } from '../base/errors.ts';
import { measured } from '../base/measured.ts';
import type { Bus } from '../ports/bus.ts';
import type { HostShell } from '../ports/host-shell.ts';
import type { Hypervisor } from '../ports/hypervisor.ts';
import type { Metrics } from '../ports/metrics.ts';
import type { Store, TxnResult } from '../ports/store.ts';

interface Parts {
  readonly clock: Clock;
  readonly metrics: Metrics;
}

const codeOf = (error: unknown): string => (error === undefined ? 'ok' : asCloudError(error).code);

/** Transactions are timed by how they ended; what the store is like is read when somebody asks. */
export function measuredStore<S extends Store>(store: S, { clock, metrics }: Parts): S {
  metrics.read('storeRevision', () => [{ labels: {}, value: store.rev }]);
  metrics.read('storeKeys', () => [{ labels: {}, value: store.health().keys }]);
  metrics.read('storeUp', () => [{ labels: {}, value: Number(store.health().ok) }]);
  metrics.read('replicaLag', () => [{ labels: {}, value: (store.health().staleMs ?? 0) / 1000 }]);
  return measured(store, ['txn'], clock, ({ tookMs, result, error }) => {
    const refused = error === undefined && !(result as TxnResult).ok;
    metrics.time('txn', tookMs, { result: refused ? 'conflict' : codeOf(error) });
  });
}

/** Calls are timed from sending to the answer. */
export function measuredBus(bus: Bus, { metrics, clock }: Parts): Bus {
  metrics.read('busUp', () => [{ labels: {}, value: Number(bus.health().ok) }]);
  metrics.read('busWaiting', () => [{ labels: {}, value: bus.health().waiting }]);
  metrics.read('busHandling', () => [{ labels: {}, value: bus.health().handling }]);
  metrics.read('deadLetters', () =>
    bus.deadLetters().then(
      (letters) => [{ labels: {}, value: letters.length }],
      // While the broker is away nobody knows of them, and all other figures are wanted the more.
      () => [],
    ),
  );
  return measured(bus, ['call'], clock, ({ tookMs, error, args }) => {
    metrics.time('busCall', tookMs, { type: String(args[1]), code: codeOf(error) });
  });
}

/** What a host takes to run a program, with the way there. */
export function measuredShell(shell: HostShell, { metrics, clock }: Parts): HostShell {
  return measured(shell, ['exec'], clock, ({ tookMs }) => metrics.time('hostExec', tookMs, { host: shell.name }));
}

/** What libvirt takes to answer the two questions that are asked all the time, with the way there. */
export function measuredHypervisor(hypervisor: Hypervisor, host: string, { metrics, clock }: Parts): Hypervisor {
  return measured(hypervisor, ['lookup', 'inventory'], clock, ({ tookMs }) =>
    metrics.time('hypervisorCall', tookMs, { host }),
  );
}
