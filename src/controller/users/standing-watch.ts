import { asCloudError, CloudError } from '../../base/errors.ts';
import { isUsableKey } from '../../domain/access-key.ts';
import { KEYS } from '../../domain/keys.ts';
import type { AccessKeyRecord } from '../../domain/records.ts';
import type { OperationDefinition } from '../../messages/operations/definition.ts';
import type { ControllerContext } from '../controller-context.ts';
import { isAdmin, type Principal } from '../operations/handler.ts';
import { requireRule } from '../operations/require-rule.ts';
import { principalOf } from './principal.ts';

/** How often what is open looks whether its caller may still have it. */
export const STANDING_EVERY_MS = 2000;

export type StandingContext = Pick<ControllerContext, 'clock' | 'directory' | 'logger' | 'policy' | 'store'>;

/** What is open, and who has it. */
export interface Standing {
  readonly definition: OperationDefinition;
  readonly principal: Principal;
}

/**
 * Looks, as long as a stream or a console is open, whether its caller would still get it: the key is active, the user is there and enabled, is in the project, passes the
 * rule, and is a cloudadmin if they were one when it was opened. As any other request it is refused when the directory has not answered for too long.
 * The administrator at the socket is no user, and is never looked at.
 */
export class StandingWatch {
  readonly #context: StandingContext;
  readonly #standing: Standing;
  readonly #over = new AbortController();
  readonly #timer: { cancel(): void } | undefined;
  #looking = false;

  constructor(context: StandingContext, standing: Standing) {
    this.#context = context;
    this.#standing = standing;
    if (standing.principal.userName === undefined) return;
    this.#timer = context.clock.every(STANDING_EVERY_MS, () => void this.#look(), { unref: true });
  }

  /** Aborted, with the refusal as its reason, once the caller may not have it any more. */
  get over(): AbortSignal {
    return this.#over.signal;
  }

  close(): void {
    this.#timer?.cancel();
  }

  /** One at a time: a directory may be slow. */
  async #look(): Promise<void> {
    if (this.#looking || this.#over.signal.aborted) return;
    this.#looking = true;
    try {
      await requireStanding(this.#context, this.#standing);
    } catch (error) {
      this.#end(asCloudError(error));
    } finally {
      this.#looking = false;
    }
  }

  #end(refusal: CloudError): void {
    const { definition, principal } = this.#standing;
    this.close();
    this.#context.logger.info('ended, since its caller may not have it any more', {
      ...{ operation: definition.name, principal: principal.name, from: principal.from },
      ...{ code: refusal.code, error: refusal.message },
    });
    this.#over.abort(refusal);
  }
}

/** Errors: those of principalOf, and 'UnauthorizedOperation' of the rule. */
async function requireStanding(context: StandingContext, { definition, principal }: Standing): Promise<void> {
  const { userName = '', accessKeyId, projectId, from, ownProjectOnly = false } = principal;
  if (accessKeyId !== undefined) requireKey(context, accessKeyId, userName);
  const key = accessKeyId === undefined ? {} : { accessKeyId };
  const now = await principalOf(context, { userName, projectId, from, ownProjectOnly, ...key });
  requireRule(definition, now);
  if (isAdmin(now) || !isAdmin(principal)) return;
  throw new CloudError(
    'UnauthorizedOperation',
    `${userName} was a cloudadmin when this ${definition.name} was opened, and is none any more; open it again to see what project ${projectId} has`,
    { details: { user: userName } },
  );
}

function requireKey({ store, clock }: StandingContext, accessKeyId: string, userName: string): void {
  const record = store.get<AccessKeyRecord>(KEYS.accessKey(accessKeyId))?.value;
  if (isUsableKey(record, clock.nowMs()) && record.userId === userName) return;
  const why = record?.userId !== userName ? 'was deleted' : record.active ? 'is over' : 'is disabled';
  throw new CloudError('AuthFailure', `the access key ${accessKeyId} ${why} since this was opened`, {
    details: { accessKeyId },
  });
}
