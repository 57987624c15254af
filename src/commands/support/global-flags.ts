import { CloudError } from '../../base/errors.ts';
import type { Format } from '../../views/listing.ts';

/** What the flags that every command has say. */
export interface GlobalFlags {
  readonly output: Format;
  readonly json: boolean;
  readonly quiet: boolean;
  readonly verbose: boolean;
  readonly yes: boolean;
  readonly reason?: string | undefined;
  readonly 'no-color': boolean;
  readonly config?: string | undefined;
  readonly context?: string | undefined;
  readonly set?: readonly string[] | undefined;
  readonly 'dry-run'?: boolean;
  readonly 'no-wait-lock'?: boolean;
  /** Milliseconds. */
  readonly timeout?: number | undefined;
  readonly columns?: readonly string[] | undefined;
  readonly filter?: readonly string[] | undefined;
}

/** `KEY=VALUE` words as a record. */
export function settings(words: readonly string[] | undefined): Record<string, string> {
  return Object.fromEntries(
    (words ?? []).map((word) => {
      const at = word.indexOf('=');
      if (at < 1) throw new CloudError('InvalidParameterValue', `--set must be KEY=VALUE, not "${word}"`);
      return [word.slice(0, at), word.slice(at + 1)];
    }),
  );
}
