import {
  array,
  charArray,
  int,
  nothing,
  optional,
  struct,
  text,
  typedParam,
  uhyper,
  uint,
  uuid,
  type Codec,
  type Decoded,
} from './codec.ts';

/** One call of the remote program (0x20008086, version 1): its number and the layout of its arguments and its answer. */
export interface Procedure<Args, Result> {
  readonly name: string;
  readonly number: number;
  readonly args: Codec<Args>;
  readonly result: Codec<Result>;
}

/** remote_nonnull_domain. The daemon looks at the uuid alone; id is -1 when off and new at each start. */
export const domain = struct({ name: text, uuid, id: int });
export type DomainHandle = Decoded<typeof domain>;

/** Enough to name a domain in a call. */
export const byUuid = (id: string): DomainHandle => ({ name: '', uuid: id, id: -1 });

const DOMAIN_LIST_MAX = 16_384;
const PARAMS_MAX = 262_144;

const define = <A, R>(name: string, number: number, args: Codec<A>, result: Codec<R>): Procedure<A, R> => ({
  name,
  number,
  args,
  result,
});

const onDomainWithFlags = struct({ dom: domain, flags: uint });
const oneText = struct({ value: text });
const oneInt = struct({ value: int });
const oneUhyper = struct({ value: uhyper });
const oneDomain = struct({ dom: domain });

const nodeInfo = struct({
  model: charArray(32),
  memoryKib: uhyper,
  cpus: int,
  mhz: int,
  nodes: int,
  sockets: int,
  cores: int,
  threads: int,
});

const domainStats = struct({
  records: array(struct({ dom: domain, params: array(typedParam, PARAMS_MAX) }), DOMAIN_LIST_MAX),
});

/** Numbers are those of libvirt's remote_protocol.x; they never change between releases. */
export const PROCEDURES = {
  open: define('CONNECT_OPEN', 1, struct({ uri: optional(text), flags: uint }), nothing),
  close: define('CONNECT_CLOSE', 2, nothing, nothing),
  version: define('CONNECT_GET_VERSION', 4, nothing, oneUhyper),
  nodeInfo: define('NODE_GET_INFO', 6, nothing, nodeInfo),
  capabilities: define('CONNECT_GET_CAPABILITIES', 7, nothing, oneText),
  xmlDesc: define('DOMAIN_GET_XML_DESC', 14, onDomainWithFlags, oneText),
  lookupByName: define('DOMAIN_LOOKUP_BY_NAME', 23, struct({ name: text }), oneDomain),
  lookupByUuid: define('DOMAIN_LOOKUP_BY_UUID', 24, struct({ uuid }), oneDomain),
  reboot: define('DOMAIN_REBOOT', 27, onDomainWithFlags, nothing),
  hostname: define('CONNECT_GET_HOSTNAME', 59, nothing, oneText),
  supportsFeature: define('CONNECT_SUPPORTS_FEATURE', 60, struct({ feature: int }), oneInt),
  authList: define('AUTH_LIST', 66, nothing, struct({ types: array(int, 20) })),
  authPolkit: define('AUTH_POLKIT', 70, nothing, struct({ complete: int })),
  libVersion: define('CONNECT_GET_LIB_VERSION', 157, nothing, oneUhyper),
  create: define('DOMAIN_CREATE_WITH_FLAGS', 196, onDomainWithFlags, oneDomain),
  state: define('DOMAIN_GET_STATE', 212, onDomainWithFlags, struct({ state: int, reason: int })),
  undefine: define('DOMAIN_UNDEFINE_FLAGS', 231, onDomainWithFlags, nothing),
  destroy: define('DOMAIN_DESTROY_FLAGS', 234, onDomainWithFlags, nothing),
  reset: define('DOMAIN_RESET', 245, onDomainWithFlags, nothing),
  shutdown: define('DOMAIN_SHUTDOWN_FLAGS', 258, onDomainWithFlags, nothing),
  registerEvent: define(
    'CONNECT_DOMAIN_EVENT_CALLBACK_REGISTER_ANY',
    316,
    struct({ eventId: int, dom: optional(domain) }),
    struct({ callbackId: int }),
  ),
  allStats: define(
    'CONNECT_GET_ALL_DOMAIN_STATS',
    344,
    struct({ doms: array(domain, DOMAIN_LIST_MAX), stats: uint, flags: uint }),
    domainStats,
  ),
  defineXml: define('DOMAIN_DEFINE_XML_FLAGS', 350, struct({ xml: text, flags: uint }), oneDomain),
} as const;

/** DOMAIN_EVENT_CALLBACK_LIFECYCLE, the only message we ask for (event id 0). */
export const LIFECYCLE = {
  eventId: 0,
  message: 318,
  body: struct({ callbackId: int, dom: domain, event: int, detail: int }),
} as const;
export type LifecycleMessage = Decoded<typeof LIFECYCLE.body>;

/** remote_error, the payload of a reply with status 1. `dom` and `net` are always null on the wire. */
export const remoteError = struct({
  code: int,
  domain: int,
  message: optional(text),
  level: int,
  dom: optional(domain),
  str1: optional(text),
  str2: optional(text),
  str3: optional(text),
  int1: int,
  int2: int,
});
export type RemoteError = Decoded<typeof remoteError>;

/** Arguments of CONNECT_SUPPORTS_FEATURE. */
export const FEATURE = { keepalive: 10, eventCallback: 14 } as const;
