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
  /** It changes nothing, so it may be asked again when its answer was lost. */
  readonly read: boolean;
}

/** remote_nonnull_domain. The daemon looks at the uuid alone; id is -1 when off and new at each start. */
export const domain = struct({ name: text, uuid, id: int });
export type DomainHandle = Decoded<typeof domain>;

/** Enough to name a domain in a call. */
export const byUuid = (id: string): DomainHandle => ({ name: '', uuid: id, id: -1 });

const DOMAIN_LIST_MAX = 16_384;
const PARAMS_MAX = 262_144;

const change = <A, R>(name: string, number: number, args: Codec<A>, result: Codec<R>): Procedure<A, R> => ({
  name,
  number,
  args,
  result,
  read: false,
});

const read = <A, R>(name: string, number: number, args: Codec<A>, result: Codec<R>): Procedure<A, R> => ({
  ...change(name, number, args, result),
  read: true,
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
  open: change('CONNECT_OPEN', 1, struct({ uri: optional(text), flags: uint }), nothing),
  version: read('CONNECT_GET_VERSION', 4, nothing, oneUhyper),
  nodeInfo: read('NODE_GET_INFO', 6, nothing, nodeInfo),
  capabilities: read('CONNECT_GET_CAPABILITIES', 7, nothing, oneText),
  lookupByName: read('DOMAIN_LOOKUP_BY_NAME', 23, struct({ name: text }), oneDomain),
  lookupByUuid: read('DOMAIN_LOOKUP_BY_UUID', 24, struct({ uuid }), oneDomain),
  reboot: change('DOMAIN_REBOOT', 27, onDomainWithFlags, nothing),
  resume: change('DOMAIN_RESUME', 28, struct({ dom: domain }), nothing),
  suspend: change('DOMAIN_SUSPEND', 34, struct({ dom: domain }), nothing),
  hostname: read('CONNECT_GET_HOSTNAME', 59, nothing, oneText),
  supportsFeature: read('CONNECT_SUPPORTS_FEATURE', 60, struct({ feature: int }), oneInt),
  authList: read('AUTH_LIST', 66, nothing, struct({ types: array(int, 20) })),
  authPolkit: change('AUTH_POLKIT', 70, nothing, struct({ complete: int })),
  libVersion: read('CONNECT_GET_LIB_VERSION', 157, nothing, oneUhyper),
  create: change('DOMAIN_CREATE_WITH_FLAGS', 196, onDomainWithFlags, oneDomain),
  /** Opens a stream: the serial console's bytes, both ways. */
  openConsole: change(
    'DOMAIN_OPEN_CONSOLE',
    201,
    struct({ dom: domain, device: optional(text), flags: uint }),
    nothing,
  ),
  state: read('DOMAIN_GET_STATE', 212, onDomainWithFlags, struct({ state: int, reason: int })),
  undefine: change('DOMAIN_UNDEFINE_FLAGS', 231, onDomainWithFlags, nothing),
  destroy: change('DOMAIN_DESTROY_FLAGS', 234, onDomainWithFlags, nothing),
  reset: change('DOMAIN_RESET', 245, onDomainWithFlags, nothing),
  shutdown: change('DOMAIN_SHUTDOWN_FLAGS', 258, onDomainWithFlags, nothing),
  registerEvent: change(
    'CONNECT_DOMAIN_EVENT_CALLBACK_REGISTER_ANY',
    316,
    struct({ eventId: int, dom: optional(domain) }),
    struct({ callbackId: int }),
  ),
  allStats: read(
    'CONNECT_GET_ALL_DOMAIN_STATS',
    344,
    struct({ doms: array(domain, DOMAIN_LIST_MAX), stats: uint, flags: uint }),
    domainStats,
  ),
  defineXml: change('DOMAIN_DEFINE_XML_FLAGS', 350, struct({ xml: text, flags: uint }), oneDomain),
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
