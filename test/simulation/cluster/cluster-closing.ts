import type { AliveRecord, AssignRecord, HostRecord, OwnRecord } from '../../../src/domain/records.ts';
import type { Problem } from '../closing-checker.ts';
import { first, restingProblem } from '../closing-checker.ts';
import type { ClusterSimulation } from './run-cluster.ts';

/** Why the cluster is not as it should be when nothing goes wrong any more; undefined when it is. */
export function clusterProblem(sim: ClusterSimulation): Problem {
  return restingProblem(sim) ?? aliveProblem(sim) ?? hostProblem(sim) ?? replicaProblem(sim);
}

/** What says that a process lives says the truth. */
function aliveProblem({ model, cluster }: ClusterSimulation): Problem {
  return first(model.range<AliveRecord>('alive/'), ({ key }) => {
    const name = key.slice(key.lastIndexOf('/') + 1);
    const process = cluster.processes.get(name);
    return process !== undefined && cluster.isUp(process) ? undefined : `${key} is there, and ${name} is not`;
  });
}

/** Each host is owned by a controller and assigned to a worker, both alive and in the session that they have now. */
function hostProblem({ model, cluster }: ClusterSimulation): Problem {
  const hosts = new Map(model.range<HostRecord>('host/').map(({ value }) => [value.id, value]));
  const stray = (prefix: string): Problem =>
    first(model.range(prefix), ({ key }) =>
      hosts.has(key.slice(prefix.length)) ? undefined : `${key} is of a host that is no more`,
    );
  return (
    first(hosts.values(), ({ id, name }) => {
      const own = model.get<OwnRecord>(`own/${id}`);
      const alive = own && model.get<AliveRecord>(`alive/controller/${own.controllerId}`);
      if (own === undefined) return `${name} has no owner`;
      if (alive?.session !== own.session) return `${name} is owned by ${own.controllerId}, which is not alive`;
      const assign = model.get<AssignRecord>(`assign/compute/${id}`);
      const worker = cluster.up().find(({ process }) => process.name === assign?.workerId);
      if (assign === undefined || worker === undefined) return `${name} is assigned to ${assign?.workerId ?? 'nobody'}`;
      return worker.roles.session === assign.session ? undefined : `${name} is assigned to a session that is over`;
    }) ??
    stray('own/') ??
    stray('assign/compute/')
  );
}

/** Every replica has all that was committed. */
function replicaProblem({ cluster, committed }: ClusterSimulation): Problem {
  return first(cluster.up(), ({ process, store }) => {
    if (store === undefined) return undefined;
    const right = committed.stateAt(committed.rev);
    const entries = store.range('');
    const wrong = entries.find(({ key, value }) => right.get(key)?.text !== JSON.stringify(value));
    if (wrong !== undefined) return `${process.name} takes ${wrong.key} for ${JSON.stringify(wrong.value)}`;
    return entries.length === right.size ? undefined : `${process.name} lacks keys`;
  });
}
