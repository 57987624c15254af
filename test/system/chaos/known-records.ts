import type { Facts } from './facts.ts';

/**
 * The records as the auditor reads them. Written down here a second time on purpose: an auditor that shared the types and keys of what it checks would
 * share their mistakes.
 */
export interface KnownInstance {
  readonly id: string;
  readonly reservationId: string;
  readonly state: string;
  readonly desired: string;
  readonly hostId: string;
  readonly vcpus: number;
  readonly memoryMib: number;
  readonly diskGib: number;
  readonly operationId?: string;
  readonly work?: unknown;
  readonly stateReason?: { readonly code: string; readonly message: string };
  readonly nic: { readonly networkId: string; readonly address: string; readonly mac: string; readonly tap: string };
}

export interface KnownOperation {
  readonly id: string;
  readonly name: string;
  readonly status: string;
  readonly targets: readonly string[];
  readonly pending: readonly string[];
}

export interface KnownReservation {
  readonly id: string;
  readonly instanceIds: readonly string[];
  readonly remaining?: unknown;
}

export interface KnownToken {
  readonly operationId: string;
  readonly answer?: string;
}

/** Records below a prefix, with the rest of their keys. */
export function below<T>(records: Facts['records'], prefix: string): [rest: string, record: T][] {
  return Object.entries(records).flatMap(([key, value]) =>
    key.startsWith(prefix) ? [[key.slice(prefix.length), value as T] as [string, T]] : [],
  );
}

export const instancesIn = (records: Facts['records']): KnownInstance[] =>
  below<KnownInstance>(records, 'instance/').map(([, record]) => record);

/** Those that hold something: of a terminated one the record alone is left. */
export const liveIn = (records: Facts['records']): KnownInstance[] =>
  instancesIn(records).filter(({ state }) => state !== 'terminated');

/** The tokens of an operation: by token. */
export function tokensOf(records: Facts['records'], operation: string): Map<string, KnownToken> {
  return new Map(
    below<KnownToken>(records, 'token/').flatMap(([rest, record]) => {
      const [, name, token = ''] = rest.split('/');
      return name === operation ? [[token, record] as [string, KnownToken]] : [];
    }),
  );
}

/** Values that are there more than once. */
export function doubled(values: readonly string[]): string[] {
  return [...new Set(values.filter((value, index) => values.indexOf(value) !== index))];
}

/** What one list has and the other has not, said of each. */
export function differences(what: string, wanted: readonly string[], found: readonly string[]): string[] {
  return [
    ...wanted.filter((one) => !found.includes(one)).map((one) => `${what}: ${one} is missing`),
    ...found.filter((one) => !wanted.includes(one)).map((one) => `${what}: ${one} has no reason to be there`),
    ...doubled(found).map((one) => `${what}: ${one} is there twice`),
  ];
}
