import { CloudError } from '../../base/errors.ts';
import { toJson, type Json } from '../../base/json.ts';
import { KEYS } from '../../domain/keys.ts';
import type { AssignRecord } from '../../domain/records.ts';
import { TOPIC } from '../../messages/worker.ts';
import type { ControllerContext } from '../controller-context.ts';

/** A compute worker that is alive. */
export function anyWorker(cloud: Pick<ControllerContext, 'workers'>): string {
  const workerId = cloud.workers.pick('compute');
  if (workerId !== undefined) return workerId;
  throw new CloudError(
    'Unavailable',
    'no compute worker is running; start one with "novactl up" or "novactl serve --roles worker"',
  );
}

/** The worker that serves the host, or any when nobody does yet. */
export function workerOf(cloud: Pick<ControllerContext, 'workers' | 'store'>, hostId: string): string {
  return cloud.store.get<AssignRecord>(KEYS.assign('compute', hostId))?.value.workerId ?? anyWorker(cloud);
}

/** Has a worker look at something: the controller itself does not talk to hosts. */
export function askWorker(
  cloud: Pick<ControllerContext, 'bus'>,
  workerId: string,
  type: string,
  body: object,
  timeoutMs: number,
): Promise<Json | undefined> {
  return cloud.bus.call(TOPIC.worker(workerId), type, toJson({ v: 1, ...body }), { timeoutMs });
}
