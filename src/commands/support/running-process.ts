import { join } from 'node:path';
import type { Readiness } from '../../messages/readiness.ts';
import type { Session } from './session.ts';

/** The process of a cloud that has the state folder of this machine, whatever its roles; undefined: none. */
export async function runningProcess(session: Session): Promise<Readiness | undefined> {
  const [{ askReadiness }, { STATUS_SOCKET }] = await Promise.all([
    import('../../client/ask-readiness.ts'),
    import('../../messages/readiness.ts'),
  ]);
  const { stateDir } = await session.dirs();
  return askReadiness(join(stateDir, STATUS_SOCKET));
}

/** `node1 (controller, worker)`. */
export const processText = ({ process: { name, roles } }: Readiness): string => `${name} (${roles.join(', ')})`;

/** For people and for programs. */
export async function showProcess(session: Session, readiness: Readiness): Promise<void> {
  const { process: facts, ready, reasons, troubles } = readiness;
  const lines = [
    `process    ${processText(readiness)}, novactl ${facts.version}, pid ${facts.pid}`,
    `state      ${ready ? 'ready' : facts.state === 'draining' ? 'ending' : 'not ready'}`,
    ...[...reasons, ...troubles].map((line) => `           ${line}`),
  ];
  await session.showValue({ ...facts, ready, reasons, troubles }, `${lines.join('\n')}\n`);
}
