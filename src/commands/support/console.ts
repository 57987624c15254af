import type { Session } from './session.ts';

/** The most that one read of a console log answers. */
const PART_BYTES = 1_048_576;

export interface ConsoleBytes {
  readonly bytes: Buffer;
  /** Where the next read goes on. */
  readonly nextByte: number;
}

/** A part of an instance's console log; without fromByte its last 64 KiB. */
export async function readConsole(session: Session, instanceId: string, fromByte?: number): Promise<ConsoleBytes> {
  const part = await session.read('GetConsoleOutput', {
    InstanceId: instanceId,
    ...(fromByte === undefined ? {} : { FromByte: fromByte, MaxBytes: PART_BYTES }),
  });
  return { bytes: Buffer.from(part.output, 'base64'), nextByte: part.nextByte };
}

/** So many bytes before the end of an instance's console log, older files of it included. */
export async function readLogTail(session: Session, instanceId: string, tailBytes: number): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const item of session.watch('WatchConsole', {
    InstanceId: instanceId,
    TailBytes: tailBytes,
    Follow: false,
  })) {
    if (item.kind === 'output') parts.push(Buffer.from(item.output, 'base64'));
  }
  return Buffer.concat(parts);
}
