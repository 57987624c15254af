import type { Clock } from '../../base/clock.ts';
import { humanDuration } from '../../base/units.ts';
import { heldRecord, heldText } from '../../controller/hosts/held.ts';
import { objectsTroubleText } from '../../messages/objects-trouble.ts';
import type { Readiness } from '../../messages/readiness.ts';
import type { Bus } from '../../ports/bus.ts';
import type { Store } from '../../ports/store.ts';
import type { ProcessPlan } from './process-plan.ts';
import type { RunningRoles } from './start-roles.ts';

/** A copy of the state that is this far behind is not good enough to answer from, for who may ask another process. */
const STALE_MS = 10_000;

/** Whether this process does all of its work, from its first moment to its last. */
export class ProcessStatus {
  readonly #facts: Omit<Readiness['process'], 'state'>;
  #state: Readiness['process']['state'] = 'starting';
  #store: Pick<Store, 'health' | 'get'> | undefined;
  #bus: Pick<Bus, 'health'> | undefined;
  #roles: Pick<RunningRoles, 'objectsTrouble'> | undefined;

  constructor(plan: ProcessPlan, version: string, clock: Clock) {
    const { name, roles } = plan;
    this.#facts = { name, roles: [...roles], version, pid: process.pid, startedAtMs: clock.nowMs() };
  }

  hasStore(store: Pick<Store, 'health' | 'get'>): void {
    this.#store = store;
  }

  hasBus(bus: Pick<Bus, 'health'>): void {
    this.#bus = bus;
  }

  hasRoles(roles: Pick<RunningRoles, 'objectsTrouble'>): void {
    this.#roles = roles;
  }

  is(state: Readiness['process']['state']): void {
    this.#state = state;
  }

  readiness(): Readiness {
    const reasons = this.#reasons();
    const held = this.#store && heldRecord(this.#store);
    const told = held === undefined ? {} : { held: heldText(held) };
    const objects = this.#roles?.objectsTrouble();
    return {
      ...{ ready: reasons.length === 0, reasons, troubles: objects === undefined ? [] : [objectsTroubleText(objects)] },
      ...{ ...told, process: { ...this.#facts, state: this.#state } },
    };
  }

  #reasons(): string[] {
    if (this.#state === 'draining') return ['it is ending'];
    const reasons = [
      this.#state === 'starting' ? this.#waitsFor() : undefined,
      this.#storeProblem(),
      this.#busProblem(),
    ];
    return reasons.filter((reason) => reason !== undefined);
  }

  #storeProblem(): string | undefined {
    const { ok = true, problem, staleMs = 0 } = this.#store?.health() ?? {};
    if (!ok) return `the store can't commit: ${problem ?? 'unknown reason'}`;
    return staleMs > STALE_MS ? `its copy of the state is ${humanDuration(staleMs)} behind` : undefined;
  }

  #busProblem(): string | undefined {
    const { ok = true, problem } = this.#bus?.health() ?? {};
    return ok ? undefined : `the bus: ${problem ?? 'it can not be reached'}`;
  }

  #waitsFor(): string {
    if (this.#bus === undefined) return 'it starts: it waits for the bus';
    const needsStore = this.#facts.roles.some((role) => role !== 'worker');
    return needsStore && this.#store === undefined ? 'it starts: it waits for the store' : 'it starts';
  }
}
