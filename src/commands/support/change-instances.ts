import { followOperation, operationError, waitForInstances } from './wait.ts';
import { stateChangeListing } from '../../views/instances.ts';
import type { InstanceView } from '../../views/instances.ts';
import type { Session } from './session.ts';

interface Change {
  readonly name: 'StartInstances' | 'StopInstances' | 'RebootInstances' | 'TerminateInstances';
  /** `stopping`, for the line that is said. */
  readonly doing: string;
  readonly ids: readonly string[];
  readonly force?: boolean | undefined;
  readonly wait: boolean;
  readonly timeoutMs: number;
  /** What --wait waits for; absent: the operation's own end. */
  readonly until?: InstanceView['state'];
}

/** start, stop, reboot and terminate are this: one call, one line said, the changes shown, a wait if wanted. */
export async function changeInstances(session: Session, change: Change): Promise<void> {
  const { name, ids, wait, until, timeoutMs } = change;
  const input = { InstanceIds: [...ids], ...(change.force === true ? { Force: true } : {}) };
  const output = await session.change(name, input);
  const count = output.instances.length;
  const what = count === 1 ? (output.instances[0]?.instanceId ?? 'it') : `${count} instances`;
  session.output.message(`${change.doing} ${what} (${output.operationId})`);
  if (!wait) {
    await session.show(stateChangeListing(output));
    session.output.hint(`follow it by: novactl op follow ${output.operationId}`);
    return;
  }
  if (until === undefined) {
    const failed = operationError(await followOperation(session, output.operationId, timeoutMs));
    if (failed !== undefined) throw failed;
    await session.show(stateChangeListing(output));
    return;
  }
  await waitForInstances(session, ids, [until], timeoutMs);
  const reached = output.instances.map((item) => ({ ...item, currentState: until }));
  await session.show(stateChangeListing({ ...output, instances: reached }));
}
