import { ERROR_TABLE, type ErrorCode } from './error-codes.ts';

/** What a CloudError looks like on a wire (bus, admin API, stored operation record). */
export interface FlatError {
  code: ErrorCode;
  message: string;
  /** Which parameter, rule or step it is about; never a secret. */
  details?: Record<string, unknown>;
}

/**
 * The one error type that crosses a boundary. Branch on `code`, never on the text.
 * `message` says what is wrong and, where there is one, what to do next.
 */
export class CloudError extends Error {
  readonly code: ErrorCode;
  readonly details: Record<string, unknown> | undefined;

  constructor(code: ErrorCode, message: string, options: { details?: Record<string, unknown>; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'CloudError';
    this.code = code;
    this.details = options.details;
  }

  /** HTTP status of the code. */
  get status(): number {
    return ERROR_TABLE[this.code].status;
  }

  /** True when the same request may succeed later without a change. */
  get retryable(): boolean {
    return ERROR_TABLE[this.code].retryable;
  }

  flatten(): FlatError {
    return {
      code: this.code,
      message: this.message,
      ...(this.details === undefined ? {} : { details: this.details }),
    };
  }

  static unflatten(flat: FlatError): CloudError {
    const code = flat.code in ERROR_TABLE ? flat.code : 'InternalError';
    return new CloudError(code, flat.message, flat.details === undefined ? {} : { details: flat.details });
  }
}

/** True for a CloudError with one of the codes. */
export function isCode(error: unknown, ...codes: ErrorCode[]): error is CloudError {
  return error instanceof CloudError && codes.includes(error.code);
}

/** Any thrown thing as a CloudError; what is not one becomes InternalError with the original as cause. */
export function asCloudError(error: unknown): CloudError {
  if (error instanceof CloudError) return error;
  const text = error instanceof Error ? error.message : String(error);
  return new CloudError('InternalError', text, { cause: error });
}

/** The name that the system has for what went wrong (`ENOENT`); undefined where it was not the system. */
export const errnoOf = (error: unknown): string | undefined =>
  error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;

/** The text of any thrown thing. */
export function errorText(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
