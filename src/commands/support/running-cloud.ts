import { isCode } from '../../base/errors.ts';
import type { OperationOutput } from '../../messages/operations/index.ts';
import type { Session } from './session.ts';

export type Cloud = OperationOutput<'DescribeCloud'>;

/** The cloud that answers at the socket; undefined when none does. */
export async function runningCloud(session: Session): Promise<Cloud | undefined> {
  try {
    return await (await session.daemon()).call('DescribeCloud', {}, { signal: session.io.signal });
  } catch (error) {
    if (isCode(error, 'Unavailable')) return undefined;
    throw error;
  }
}
