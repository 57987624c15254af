import type { ControllerContext } from '../../controller/controller-context.ts';

const HELLO_MS = 5000;
const LOOK_MS = 2;

/** Resolves when the worker of this process has said that it is there, which takes a turn of the bus. After 5 s whoever needs it says that it is missing. */
export async function awaitWorker({ workers, clock }: Pick<ControllerContext, 'workers' | 'clock'>): Promise<void> {
  const endMs = clock.monotonicMs() + HELLO_MS;
  while (workers.pick('compute') === undefined && clock.monotonicMs() < endMs) await clock.sleep(LOOK_MS);
}
