import { unreachable } from '../../../base/assert.ts';
import { CloudError } from '../../../base/errors.ts';
import type {
  EtcdCompare,
  EtcdEvent,
  EtcdHeader,
  EtcdKeyValue,
  EtcdOp,
  EtcdRange,
  EtcdRangeAnswer,
  EtcdTxn,
  EtcdTxnAnswer,
  EtcdWatch,
  EtcdWatchAnswer,
} from './etcd-api.ts';
import { ALARM, COMPARE_RESULT, COMPARE_TARGET, EVENT_TYPE } from './etcd-schema.ts';

/** Answers as the decoder gives them: 64-bit numbers are decimal text, absent messages null or missing. */
interface RawHeader {
  readonly clusterId: string;
  readonly memberId: string;
  readonly revision: string;
}

interface RawKeyValue {
  readonly key: Buffer;
  readonly value: Buffer;
  readonly createRevision: string;
  readonly modRevision: string;
  readonly lease: string;
}

export interface RawRangeAnswer {
  readonly header: RawHeader | null;
  readonly kvs: readonly RawKeyValue[];
  readonly more: boolean;
  readonly count: string;
}

export interface RawTxnAnswer {
  readonly header: RawHeader | null;
  readonly succeeded: boolean;
  readonly responses: readonly { readonly range?: RawRangeAnswer | null }[];
}

export interface RawWatchAnswer {
  readonly header: RawHeader | null;
  readonly created: boolean;
  readonly canceled: boolean;
  readonly compactRevision: string;
  readonly cancelReason: string;
  readonly events: readonly { readonly type: number; readonly kv: RawKeyValue | null }[];
}

export interface RawGrantAnswer {
  readonly header: RawHeader | null;
  readonly id: string;
  readonly ttlS: string;
}

export interface RawKeepAliveAnswer {
  readonly ttlS: string;
}

export interface RawAlarmAnswer {
  readonly alarms: readonly { readonly alarm: number }[];
}

function notEtcd(what: string): CloudError {
  return new CloudError('Unavailable', `what answers at etcd's address does not speak as etcd does: ${what}`);
}

/** A revision, count or time as a number, or an error: never a rounded one. */
export function wholeNumber(text: string): number {
  const value = Number(text);
  if (text === '' || !Number.isSafeInteger(value)) throw notEtcd(`the number ${text} is out of range`);
  return value;
}

const utf8 = (text: string): Buffer => Buffer.from(text, 'utf8');

export function readHeader(header: RawHeader | null | undefined): EtcdHeader {
  if (header === null || header === undefined) throw notEtcd('an answer has no header');
  return { clusterId: header.clusterId, memberId: header.memberId, revision: wholeNumber(header.revision) };
}

function readKeyValue(raw: RawKeyValue): EtcdKeyValue {
  return {
    key: raw.key.toString('utf8'),
    value: raw.value.toString('utf8'),
    createRevision: wholeNumber(raw.createRevision),
    modRevision: wholeNumber(raw.modRevision),
    lease: raw.lease,
  };
}

export function writeRange(range: EtcdRange): object {
  const { key, rangeEnd, limit, revision, keysOnly, countOnly } = range;
  return {
    key: utf8(key),
    ...(rangeEnd === undefined ? {} : { rangeEnd: utf8(rangeEnd) }),
    ...(limit === undefined ? {} : { limit }),
    ...(revision === undefined ? {} : { revision }),
    ...(keysOnly === true ? { keysOnly } : {}),
    ...(countOnly === true ? { countOnly } : {}),
  };
}

export function readRange(raw: RawRangeAnswer): EtcdRangeAnswer {
  return {
    header: readHeader(raw.header),
    kvs: raw.kvs.map(readKeyValue),
    more: raw.more,
    count: wholeNumber(raw.count),
  };
}

function writeCompare(compare: EtcdCompare): object {
  const key = utf8(compare.key);
  if ('exists' in compare) {
    return { key, target: COMPARE_TARGET.create, result: COMPARE_RESULT.greater, createRevision: 0 };
  }
  return { key, target: COMPARE_TARGET.mod, result: COMPARE_RESULT.equal, modRevision: compare.modRevision };
}

function writeOp(op: EtcdOp): object {
  const key = utf8(op.key);
  switch (op.kind) {
    case 'put':
      return { put: { key, value: utf8(op.value), ...(op.lease === undefined ? {} : { lease: op.lease }) } };
    case 'delete':
      return { delete: { key } };
    case 'range':
      return { range: { key } };
    default:
      return unreachable(op);
  }
}

export function writeTxn(txn: EtcdTxn): object {
  return {
    compare: txn.compare.map(writeCompare),
    success: txn.success.map(writeOp),
    failure: txn.failure.map(writeOp),
  };
}

export function readTxn(raw: RawTxnAnswer): EtcdTxnAnswer {
  return {
    header: readHeader(raw.header),
    succeeded: raw.succeeded,
    ranges: raw.responses.flatMap(({ range }) =>
      range === undefined || range === null ? [] : [range.kvs.map(readKeyValue)],
    ),
  };
}

/** `fragment` is off: the events of one transaction are never parted. */
export function writeWatch(watch: EtcdWatch): object {
  const { key, rangeEnd, startRevision } = watch;
  return { create: { key: utf8(key), rangeEnd: utf8(rangeEnd), startRevision, progressNotify: true } };
}

const EVENT_KIND: Readonly<Record<number, EtcdEvent['kind']>> = {
  [EVENT_TYPE.put]: 'put',
  [EVENT_TYPE.delete]: 'delete',
};

export function readWatch(raw: RawWatchAnswer): EtcdWatchAnswer {
  return {
    header: readHeader(raw.header),
    created: raw.created,
    canceled: raw.canceled,
    compactRevision: wholeNumber(raw.compactRevision),
    events: raw.events.map(({ type, kv }) => {
      const kind = EVENT_KIND[type];
      if (kind === undefined || kv === null) throw notEtcd(`an event is of type ${type}`);
      return { kind, kv: readKeyValue(kv) };
    }),
  };
}

const ALARM_NAME: Readonly<Record<number, 'noSpace' | 'corrupt'>> = {
  [ALARM.noSpace]: 'noSpace',
  [ALARM.corrupt]: 'corrupt',
};

/** Each kind of raised alarm once. */
export function readAlarms(raw: RawAlarmAnswer): ('noSpace' | 'corrupt')[] {
  const names = raw.alarms.map(({ alarm }) => ALARM_NAME[alarm]).filter((name) => name !== undefined);
  return [...new Set(names)];
}
