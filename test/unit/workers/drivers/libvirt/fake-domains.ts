import { parseXml, xmlText } from '../../../../../src/base/xml.ts';
import type { TypedParam } from '../../../../../src/workers/drivers/libvirt/codec.ts';
import type { DomainHandle, LifecycleMessage } from '../../../../../src/workers/drivers/libvirt/procedures.ts';

/** Answered as a remote_error with that virErrorNumber. */
export class FakeError extends Error {
  readonly code: number;

  constructor(code: number, message: string) {
    super(message);
    this.code = code;
  }
}

export interface FakeDomain {
  name: string;
  readonly uuid: string;
  xml: string;
  state: number;
  reason: number;
  id: number;
}

type Event = Omit<LifecycleMessage, 'callbackId'>;

const CAPABILITIES = `<capabilities><host><cpu><arch>x86_64</arch></cpu>
<secmodel><model>none</model><doi>0</doi></secmodel>
<secmodel><model>dac</model><doi>0</doi><baselabel type='kvm'>+64055:+108</baselabel><baselabel type='qemu'>+64055:+108</baselabel></secmodel>
</host></capabilities>`;

const NODE = { model: 'x86_64', memoryKib: 4_194_304n, cpus: 2, mhz: 2000, nodes: 1, sockets: 1, cores: 2, threads: 1 };

/** The few domain calls in use, on a table of domains; answers and error codes are those seen from libvirt 9.0. */
export class FakeDomains {
  readonly all = new Map<string, FakeDomain>();
  readonly #emit: (event: Event) => void;
  #nextId = 1;
  readonly #table: Readonly<Record<string, (args: never) => unknown>> = {
    CONNECT_GET_VERSION: () => ({ value: 7_002_022n }),
    CONNECT_GET_LIB_VERSION: () => ({ value: 9_000_000n }),
    CONNECT_GET_HOSTNAME: () => ({ value: 'fake-host' }),
    CONNECT_GET_CAPABILITIES: () => ({ value: CAPABILITIES }),
    NODE_GET_INFO: () => NODE,
    CONNECT_GET_ALL_DOMAIN_STATS: () => ({ records: [...this.all.values()].map(statsOf) }),
    DOMAIN_LOOKUP_BY_UUID: (args: { uuid: string }) => ({ dom: handle(this.#get(args.uuid)) }),
    DOMAIN_LOOKUP_BY_NAME: (args: { name: string }) => ({ dom: handle(this.#named(args.name)) }),
    DOMAIN_GET_STATE: (args: OnDomain) => pick(this.#get(args.dom.uuid)),
    DOMAIN_DEFINE_XML_FLAGS: (args: { xml: string }) => ({ dom: handle(this.#define(args.xml)) }),
    DOMAIN_UNDEFINE_FLAGS: (args: OnDomain) => this.#undefine(args.dom.uuid),
    DOMAIN_CREATE_WITH_FLAGS: (args: OnDomain) => ({ dom: handle(this.#create(args.dom.uuid)) }),
    DOMAIN_DESTROY_FLAGS: (args: OnDomain) => this.stop(args.dom.uuid, 2),
    DOMAIN_SHUTDOWN_FLAGS: (args: OnDomain) => void this.#active(args.dom.uuid),
    DOMAIN_REBOOT: (args: OnDomain) => void this.#active(args.dom.uuid),
    DOMAIN_RESET: (args: OnDomain) => void this.#active(args.dom.uuid),
  };

  constructor(emit: (event: Event) => void) {
    this.#emit = emit;
  }

  carryOut(name: string, args: unknown): unknown {
    const run = this.#table[name];
    if (run === undefined) throw new FakeError(3, `this function is not supported by the fake: ${name}`);
    return run(args as never);
  }

  needActive(uuid: string): void {
    this.#active(uuid);
  }

  /** Ends the domain; reason is a virDomainShutoffReason (2 destroyed, 3 crashed). */
  stop(uuid: string, reason: number): undefined {
    const domain = this.#active(uuid);
    Object.assign(domain, { state: 5, reason, id: -1 });
    this.#emit({ dom: handle(domain), event: 5, detail: reason - 1 });
    return undefined;
  }

  #get(uuid: string): FakeDomain {
    const found = this.all.get(uuid);
    if (found === undefined) throw new FakeError(42, `Domain not found: no domain with matching uuid '${uuid}'`);
    return found;
  }

  #named(name: string): FakeDomain {
    const found = [...this.all.values()].find((domain) => domain.name === name);
    if (found === undefined) throw new FakeError(42, `Domain not found: no domain with matching name '${name}'`);
    return found;
  }

  #active(uuid: string): FakeDomain {
    const domain = this.#get(uuid);
    if (domain.state === 5) throw new FakeError(55, 'Requested operation is not valid: domain is not running');
    return domain;
  }

  #define(xml: string): FakeDomain {
    const root = parseXml(xml);
    const name = xmlText(root, 'name') ?? '';
    const uuid = xmlText(root, 'uuid') ?? '';
    const sameName = [...this.all.values()].find((domain) => domain.name === name);
    if (sameName !== undefined && sameName.uuid !== uuid) {
      throw new FakeError(9, `operation failed: domain '${name}' already exists with uuid ${sameName.uuid}`);
    }
    const existing = this.all.get(uuid);
    if (existing !== undefined && existing.name !== name) {
      throw new FakeError(9, `operation failed: domain '${existing.name}' is already defined with uuid ${uuid}`);
    }
    const domain = existing ?? { name, uuid, xml, state: 5, reason: 0, id: -1 };
    domain.xml = xml;
    this.all.set(uuid, domain);
    this.#emit({ dom: handle(domain), event: 0, detail: existing === undefined ? 0 : 1 });
    return domain;
  }

  #undefine(uuid: string): undefined {
    const domain = this.#get(uuid);
    this.all.delete(uuid);
    this.#emit({ dom: handle(domain), event: 1, detail: 0 });
    return undefined;
  }

  #create(uuid: string): FakeDomain {
    const domain = this.#get(uuid);
    if (domain.state !== 5) throw new FakeError(55, 'Requested operation is not valid: domain is already running');
    Object.assign(domain, { state: 1, reason: 1, id: this.#nextId });
    this.#nextId += 1;
    this.#emit({ dom: handle(domain), event: 4, detail: 0 });
    this.#emit({ dom: handle(domain), event: 2, detail: 0 });
    return domain;
  }
}

interface OnDomain {
  readonly dom: DomainHandle;
}

const handle = ({ name, uuid, id }: FakeDomain): DomainHandle => ({ name, uuid, id });
const pick = ({ state, reason }: FakeDomain): { state: number; reason: number } => ({ state, reason });

function statsOf(domain: FakeDomain): { dom: DomainHandle; params: TypedParam[] } {
  return {
    dom: handle(domain),
    params: [
      { field: 'state.state', type: 'int', value: domain.state },
      { field: 'state.reason', type: 'int', value: domain.reason },
    ],
  };
}
