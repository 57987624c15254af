/**
 * The part of etcd's API that is spoken here, as data: a bundle has no .proto file to read.
 *
 * Source of the field numbers: etcd's api/etcdserverpb/rpc.proto and api/mvccpb/kv.proto (Copyright The etcd Authors, Apache License 2.0), read at
 * 3.4 and later; they never change. Names are this program's own, they are not on the wire. What is left out here (versions, previous values,
 * sorting) is skipped when it comes and absent when it goes.
 *
 * Enumerations are plain int32, which is the same on the wire: a name that the encoder did not know would silently become 0, and a guard would
 * compare something else. Send COMPARE_TARGET and COMPARE_RESULT.
 */

import type { fromJSON } from '@grpc/proto-loader';

interface Field {
  readonly type: string;
  readonly id: number;
  readonly rule?: 'repeated';
}

const one = (type: string, id: number): Field => ({ type, id });
const many = (type: string, id: number): Field => ({ type, id, rule: 'repeated' });

const messages: Record<string, { fields: Record<string, Field>; oneofs?: Record<string, { oneof: string[] }> }> = {
  ResponseHeader: { fields: { clusterId: one('uint64', 1), memberId: one('uint64', 2), revision: one('int64', 3) } },
  KeyValue: {
    fields: {
      key: one('bytes', 1),
      createRevision: one('int64', 2),
      modRevision: one('int64', 3),
      value: one('bytes', 5),
      lease: one('int64', 6),
    },
  },
  Event: { fields: { type: one('int32', 1), kv: one('KeyValue', 2) } },
  RangeRequest: {
    fields: {
      key: one('bytes', 1),
      rangeEnd: one('bytes', 2),
      limit: one('int64', 3),
      revision: one('int64', 4),
      keysOnly: one('bool', 8),
      countOnly: one('bool', 9),
    },
  },
  RangeResponse: {
    fields: {
      header: one('ResponseHeader', 1),
      kvs: many('KeyValue', 2),
      more: one('bool', 3),
      count: one('int64', 4),
    },
  },
  PutRequest: { fields: { key: one('bytes', 1), value: one('bytes', 2), lease: one('int64', 3) } },
  PutResponse: { fields: {} },
  DeleteRangeRequest: { fields: { key: one('bytes', 1) } },
  DeleteRangeResponse: { fields: {} },
  RequestOp: {
    fields: { range: one('RangeRequest', 1), put: one('PutRequest', 2), delete: one('DeleteRangeRequest', 3) },
    oneofs: { request: { oneof: ['range', 'put', 'delete'] } },
  },
  ResponseOp: {
    fields: { range: one('RangeResponse', 1), put: one('PutResponse', 2), delete: one('DeleteRangeResponse', 3) },
    oneofs: { response: { oneof: ['range', 'put', 'delete'] } },
  },
  Compare: {
    fields: {
      result: one('int32', 1),
      target: one('int32', 2),
      key: one('bytes', 3),
      createRevision: one('int64', 5),
      modRevision: one('int64', 6),
    },
    oneofs: { targetUnion: { oneof: ['createRevision', 'modRevision'] } },
  },
  TxnRequest: { fields: { compare: many('Compare', 1), success: many('RequestOp', 2), failure: many('RequestOp', 3) } },
  TxnResponse: {
    fields: { header: one('ResponseHeader', 1), succeeded: one('bool', 2), responses: many('ResponseOp', 3) },
  },
  WatchRequest: { fields: { create: one('WatchCreateRequest', 1) } },
  WatchCreateRequest: {
    fields: {
      key: one('bytes', 1),
      rangeEnd: one('bytes', 2),
      startRevision: one('int64', 3),
      progressNotify: one('bool', 4),
    },
  },
  WatchResponse: {
    fields: {
      header: one('ResponseHeader', 1),
      created: one('bool', 3),
      canceled: one('bool', 4),
      compactRevision: one('int64', 5),
      cancelReason: one('string', 6),
      events: many('Event', 11),
    },
  },
  LeaseGrantRequest: { fields: { ttlS: one('int64', 1) } },
  LeaseGrantResponse: { fields: { header: one('ResponseHeader', 1), id: one('int64', 2), ttlS: one('int64', 3) } },
  LeaseRevokeRequest: { fields: { id: one('int64', 1) } },
  LeaseRevokeResponse: { fields: {} },
  LeaseKeepAliveRequest: { fields: { id: one('int64', 1) } },
  LeaseKeepAliveResponse: { fields: { id: one('int64', 2), ttlS: one('int64', 3) } },
  AlarmRequest: { fields: { action: one('int32', 1), memberId: one('uint64', 2), alarm: one('int32', 3) } },
  AlarmMember: { fields: { memberId: one('uint64', 1), alarm: one('int32', 2) } },
  AlarmResponse: { fields: { alarms: many('AlarmMember', 2) } },
};

const call = (requestType: string, responseType: string) => ({ requestType, responseType, comment: '' });
const stream = (requestType: string, responseType: string) => ({
  ...call(requestType, responseType),
  ...{ requestStream: true, responseStream: true },
});

const services = {
  KV: { methods: { Range: call('RangeRequest', 'RangeResponse'), Txn: call('TxnRequest', 'TxnResponse') } },
  Watch: { methods: { Watch: stream('WatchRequest', 'WatchResponse') } },
  Lease: {
    methods: {
      LeaseGrant: call('LeaseGrantRequest', 'LeaseGrantResponse'),
      LeaseRevoke: call('LeaseRevokeRequest', 'LeaseRevokeResponse'),
      LeaseKeepAlive: stream('LeaseKeepAliveRequest', 'LeaseKeepAliveResponse'),
    },
  },
  Maintenance: { methods: { Alarm: call('AlarmRequest', 'AlarmResponse') } },
};

/** As proto-loader's fromJSON takes it. The package's name is part of each call's path on the wire. */
type Schema = Parameters<typeof fromJSON>[0];
export const ETCD_SCHEMA: Schema = {
  options: { syntax: 'proto3' },
  nested: { etcdserverpb: { nested: { ...messages, ...services } } },
};

/** Compare.CompareTarget */
export const COMPARE_TARGET = { create: 1, mod: 2 } as const;
/** Compare.CompareResult */
export const COMPARE_RESULT = { equal: 0, greater: 1 } as const;
/** Event.EventType */
export const EVENT_TYPE = { put: 0, delete: 1 } as const;
/** AlarmType, and AlarmRequest.AlarmAction. */
export const ALARM = { noSpace: 1, corrupt: 2, get: 0 } as const;
