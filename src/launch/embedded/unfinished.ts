import type { ErrorCode } from '../../base/error-codes.ts';
import { CloudError } from '../../base/errors.ts';
import type { ImageImportRecord } from '../../domain/image-import.ts';
import type { InstanceRecord } from '../../domain/instance.ts';
import { KEYS, PREFIX } from '../../domain/keys.ts';
import type { HostRecord, OperationRecord } from '../../domain/records.ts';
import { hostProblem } from '../../controller/hosts/host-problem.ts';
import type { ControllerContext } from '../../controller/controller-context.ts';

type Context = Pick<ControllerContext, 'store' | 'observations' | 'looksAt'>;

/** An instance whose work goes on, or an image that is being made. */
export interface UnfinishedInstance {
  readonly id: string;
  /** Empty: it needs none. */
  readonly hostId: string;
  /** Why its host can't be worked with now. */
  readonly hostProblem?: string;
  /** Its host has not said anything yet, neither good nor bad. */
  readonly silent: boolean;
  /** For people: what is being done, and what went wrong the last time. */
  readonly text: string;
}

export interface Unfinished {
  /** Of the operations asked for. */
  readonly own: readonly UnfinishedInstance[];
  /** Of other operations, on hosts that this process serves. */
  readonly others: readonly UnfinishedInstance[];
}

const PASSING: ReadonlySet<string> = new Set(['pending', 'stopping', 'shutting-down']);

function unfinishedInstance(context: Context, record: InstanceRecord): UnfinishedInstance | undefined {
  const { id, hostId, work, state } = record;
  if (work === undefined && !PASSING.has(state)) return undefined;
  const host = context.store.get<HostRecord>(KEYS.host(hostId))?.value;
  const problem = hostProblem(context, host, hostId);
  const failed = work?.lastError === undefined ? '' : `, attempt ${work.attempt}: ${work.lastError.message}`;
  const silent = context.observations.host(hostId) === undefined;
  const said = silent ? 'it has not answered yet' : problem;
  const why = problem === undefined ? failed : `; host ${host?.name ?? hostId}: ${said}`;
  const text = `${id} (${work?.verb ?? state}${why})`;
  return { id, hostId, text, silent, ...(problem === undefined ? {} : { hostProblem: problem }) };
}

/** What this process makes; images of others are left to those who come after them. */
function unfinishedImage({ store }: Context, imageId: string): UnfinishedInstance[] {
  const underWay = store.get<ImageImportRecord>(KEYS.imageImport(imageId))?.value;
  return underWay === undefined
    ? []
    : [{ id: imageId, hostId: '', text: `${imageId} (${underWay.step})`, silent: false }];
}

/** What is still to be done: of the operations with these ids, and of all others on hosts that are served here. */
export function unfinishedWork(context: Context, operationIds: ReadonlySet<string>): Unfinished {
  const { store } = context;
  const ownIds = new Set<string>();
  for (const id of operationIds) {
    for (const target of store.get<OperationRecord>(KEYS.operation(id))?.value.targets ?? []) ownIds.add(target);
  }
  const own: UnfinishedInstance[] = [...ownIds].flatMap((id) => unfinishedImage(context, id));
  const others: UnfinishedInstance[] = [];
  for (const { value } of store.range<InstanceRecord>(PREFIX.instance)) {
    const item = unfinishedInstance(context, value);
    if (item === undefined) continue;
    if (ownIds.has(value.id)) own.push(item);
    else if (context.looksAt?.(value.hostId) !== false) others.push(item);
  }
  return { own, others };
}

/** The first of the operations that failed, as an error. */
export function failedOperation(
  context: Pick<Context, 'store'>,
  operationIds: Iterable<string>,
): CloudError | undefined {
  for (const id of operationIds) {
    const record = context.store.get<OperationRecord>(KEYS.operation(id))?.value;
    // How a maintenance job ended is told by the command that began it, in its own exit codes.
    if (record?.status !== 'failed' || record.name === 'StartMaintenance') continue;
    const { code = 'InternalError', message = 'it failed without saying why' } = record.error ?? {};
    const known = CloudError.unflatten({ code: code as ErrorCode, message: `${id} failed: ${message}` });
    return new CloudError(known.code, known.message, { details: { operationId: id } });
  }
  return undefined;
}
