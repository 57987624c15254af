import { readFileSync } from 'node:fs';
import { CloudError, errorText } from '../../base/errors.ts';
import { addedHostListing, type AddedHost } from '../../views/added-hosts.ts';
import { parseHostsFile, type HostLine } from './host-words.ts';
import type { Session } from './session.ts';
import { sshCommon, sshTransport, type SshFlagValues } from './ssh-flags.ts';

/** Hosts that are added side by side. */
const AT_ONCE = 4;

export interface FromFile {
  readonly file: string;
  readonly zone?: string | undefined;
  readonly flags: SshFlagValues;
}

function readHosts(file: string): HostLine[] {
  try {
    return parseHostsFile(readFileSync(file, 'utf8'), file);
  } catch (error) {
    if (error instanceof CloudError) throw error;
    throw new CloudError('InvalidParameterValue', `--from: ${errorText(error)}`, { cause: error });
  }
}

/** Runs them so many at a time; answers in their order. */
async function sideBySide<T, R>(items: readonly T[], run: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  let next = 0;
  const lane = async (): Promise<void> => {
    for (let at = next++; at < items.length; at = next++) results[at] = await run(items[at] as T);
  };
  await Promise.all(Array.from({ length: Math.min(AT_ONCE, items.length) }, lane));
  return results;
}

/** Adds every host of a file. One that fails does not stop the others; one that is a host already is left as it is, so that the call may be repeated. */
export async function addHostsFrom(session: Session, { file, zone, flags }: FromFile): Promise<void> {
  const lines = readHosts(file);
  const common = await sshCommon(session, flags);
  const known = new Set((await session.read('DescribeHosts', {})).hosts.map((host) => host.name));
  const attempt = async (line: HostLine, work: () => Promise<AddedHost>): Promise<AddedHost> => {
    try {
      return await work();
    } catch (error) {
      session.io.signal.throwIfAborted();
      if (!(error instanceof CloudError)) throw error;
      return { name: line.host, result: 'failed', error: error.flatten() };
    }
  };
  const addOne = (line: HostLine): Promise<AddedHost> =>
    attempt(line, async () => {
      if (known.has(line.host)) return { name: line.host, result: 'there already' };
      const transport = await sshTransport(session, line, common, line.fingerprint);
      const input = { Name: line.host, Transport: transport, ...(zone === undefined ? {} : { Zone: zone }) };
      const { host, operationId } = await session.change('AddHost', input);
      session.output.message(`added the host ${host.name} (${operationId})`);
      return { name: line.host, result: 'added', hostId: host.hostId, operationId };
    });
  // A person is asked for one key at a time.
  const asks = session.io.interactive && !session.flags.yes && lines.some((line) => line.fingerprint === undefined);
  const rows: AddedHost[] = [];
  if (asks) for (const line of lines) rows.push(await addOne(line));
  else rows.push(...(await sideBySide(lines, addOne)));
  await session.show(addedHostListing(rows));
  refuseFailures(rows);
}

function refuseFailures(rows: readonly AddedHost[]): void {
  const failed = rows.filter((row) => row.result === 'failed');
  if (failed.length === 0) return;
  const names = failed.map((row) => row.name).join(', ');
  if (failed.length < rows.length) {
    throw new CloudError('PartlyDone', `${failed.length} of ${rows.length} hosts could not be added: ${names}`);
  }
  const [first] = failed;
  const only = failed.every((row) => row.error?.code === first?.error?.code);
  throw new CloudError(
    only ? (first?.error?.code ?? 'PartlyDone') : 'PartlyDone',
    `none of the ${rows.length} hosts could be added: ${first?.error?.message ?? names}`,
  );
}
