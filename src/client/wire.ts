import type { CloudError } from '../base/errors.ts';
import type { Endpoint, HttpMethod } from './http-exchange.ts';

/** A request before it goes out. */
export interface Outgoing {
  readonly method: HttpMethod;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Undefined: a stream. */
  readonly body: Buffer | undefined;
}

/** What is different from one kind of connection to the other. */
export interface Wire {
  readonly endpoint: Endpoint;
  /** All headers that go out: those of the request, and what says who asks. */
  headers(outgoing: Outgoing): Record<string, string>;
  /** A failure of the connection in words that help; undefined for what it has no better words for. */
  explain(error: unknown): CloudError | undefined;
}
