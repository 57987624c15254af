import { hostProblem } from '../controller/hosts/host-problem.ts';
import type { ControllerContext } from '../controller/controller-context.ts';
import type { ObjectKeeper } from '../controller/objects/object-keeper.ts';
import type { InstanceRecord } from '../domain/instance.ts';
import { PREFIX } from '../domain/keys.ts';
import type { HostRecord } from '../domain/records.ts';
import type { Metrics, Sample } from '../ports/metrics.ts';
import type { RunningRoles } from './roles/start-roles.ts';

/** What the roles of a process have in hand, read when somebody asks. */
export function measureRoles(
  metrics: Metrics,
  { hello, context, objects }: Pick<RunningRoles, 'hello' | 'context' | 'objects'>,
): void {
  const one = (value: number | undefined) => (value === undefined ? [] : [{ labels: {}, value }]);
  metrics.read('ownedHosts', () => one(hello().owns));
  metrics.read('openHosts', () => one(hello().opens));
  metrics.read('reconcileWaiting', () => one(hello().depth));
  measureObjects(metrics, objects);
  if (context === undefined) return;
  metrics.read('hosts', () => byState(hostStates(context)));
  metrics.read('instances', () =>
    byState(context.store.range<InstanceRecord>(PREFIX.instance).map(({ value }) => value.state)),
  );
}

/** Nothing where this process has none, and while they are not open. */
function measureObjects(metrics: Metrics, objects: RunningRoles['objects']): void {
  const one = async (value: (keeper: ObjectKeeper) => number | undefined | Promise<number>) => {
    const keeper = objects?.keeper;
    const figure = keeper === undefined ? undefined : await value(keeper);
    return figure === undefined ? [] : [{ labels: {}, value: figure }];
  };
  metrics.read('objectBytes', () => one(async (keeper) => (await keeper.overview()).bytes));
  metrics.read('objectsDamaged', () => one(({ notes }) => notes.lastScrub?.damagedCount));
  metrics.read('objectsFree', () => one(async (keeper) => (await keeper.overview()).freeBytes));
}

function hostStates(context: ControllerContext): string[] {
  const hosts = context.store.range<HostRecord>(PREFIX.host);
  return hosts.map(({ value }) => (hostProblem(context, value, value.id) === undefined ? 'up' : 'down'));
}

function byState(states: readonly string[]): Sample<'hosts' | 'instances'>[] {
  const counts = new Map<string, number>();
  for (const state of states) counts.set(state, (counts.get(state) ?? 0) + 1);
  return [...counts].map(([state, value]) => ({ labels: { state }, value }));
}
