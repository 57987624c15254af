import type { Clock, Timer } from '../../../base/clock.ts';
import { CloudError } from '../../../base/errors.ts';
import type { DomainFact, DomainSpec, HypervisorEvent, PowerState, ShutoffReason } from '../../../ports/hypervisor.ts';
import type { SimGuest } from './sim-options.ts';

export interface SimDomain {
  readonly uuid: string;
  readonly name: string;
  spec: DomainSpec;
  power: PowerState;
  reason: ShutoffReason;
  /** Undefined while running: it goes when it stops. */
  persistent: boolean;
  /** How often it was powered on. */
  starts: number;
  bootedAtMs: number;
  guest: SimGuest;
  pressed: Timer | undefined;
}

/** What else of the host a domain needs or leaves traces in. */
export interface SimSurroundings {
  readonly clock: Clock;
  readonly guest: () => SimGuest;
  /** A sentence when the host can't start it. */
  readonly refuseStart: (spec: DomainSpec) => string | undefined;
  readonly poweredOn: (domain: SimDomain) => void;
  readonly poweredOff: (domain: SimDomain) => void;
  readonly emit: (event: HypervisorEvent) => void;
}

const invalid = (message: string): CloudError =>
  new CloudError('HypervisorError', `Requested operation is not valid: ${message}`, { details: { libvirtCode: 55 } });

const isOn = (domain: SimDomain): boolean =>
  domain.power === 'running' || domain.power === 'paused' || domain.power === 'shutting-down';

/** The domains of a host, with libvirt's rules about what may follow what. Every method is one moment. */
export class SimDomains {
  readonly #byUuid = new Map<string, SimDomain>();
  readonly #byName = new Map<string, SimDomain>();
  readonly #around: SimSurroundings;

  constructor(around: SimSurroundings) {
    this.#around = around;
  }

  all(): SimDomain[] {
    return [...this.#byUuid.values()];
  }

  named(name: string): SimDomain | undefined {
    return this.#byName.get(name);
  }

  fact(domain: SimDomain): DomainFact {
    const { name, uuid, power, reason } = domain;
    return power === 'shutoff' ? { name, uuid, power, reason } : { name, uuid, power };
  }

  lookup(uuid: string): DomainFact | undefined {
    const domain = this.#byUuid.get(uuid);
    return domain && this.fact(domain);
  }

  define(spec: DomainSpec): void {
    const other = this.#byName.get(spec.name) ?? this.#byUuid.get(spec.uuid);
    if (other !== undefined && (other.uuid !== spec.uuid || other.name !== spec.name)) {
      throw new CloudError(
        'AlreadyExists',
        `the host has a domain ${other.name} with uuid ${other.uuid} already, which is not ${spec.name} (${spec.uuid})`,
        { details: { name: other.name, uuid: other.uuid } },
      );
    }
    if (other === undefined) {
      const domain: SimDomain = {
        uuid: spec.uuid,
        name: spec.name,
        spec,
        power: 'shutoff',
        reason: 'unknown',
        persistent: true,
        starts: 0,
        bootedAtMs: 0,
        guest: this.#around.guest(),
        pressed: undefined,
      };
      this.#byUuid.set(spec.uuid, domain);
      this.#byName.set(spec.name, domain);
      this.#emit(domain, 'unknown', 'defined/added');
    } else {
      other.spec = spec;
      other.persistent = true;
      this.#emit(other, 'unknown', 'defined/updated');
    }
  }

  start(uuid: string): void {
    const domain = this.#need(uuid);
    if (domain.power === 'running') return;
    if (isOn(domain)) throw invalid('domain is already running');
    const refusal = this.#around.refuseStart(domain.spec);
    if (refusal !== undefined) {
      domain.reason = 'failed';
      throw new CloudError('HypervisorError', refusal);
    }
    domain.power = 'running';
    domain.starts += 1;
    domain.bootedAtMs = this.#around.clock.monotonicMs() + domain.guest.bootMs;
    this.#around.poweredOn(domain);
    this.#emit(domain, 'running', 'started/booted');
  }

  /** The power button. */
  shutdown(uuid: string): void {
    const domain = this.#need(uuid);
    if (domain.power === 'shutoff') return;
    if (!isOn(domain)) throw invalid('domain is not running');
    this.#press(domain, () => this.powerOff(domain, 'shutdown'));
  }

  /** The guest is asked to reboot; its domain stays on. */
  reboot(uuid: string): void {
    const domain = this.#need(uuid);
    if (!isOn(domain)) throw invalid('domain is not running');
    this.#press(domain, () => this.#boot(domain));
  }

  reset(uuid: string): void {
    const domain = this.#need(uuid);
    if (!isOn(domain)) throw invalid('domain is not running');
    this.#boot(domain);
  }

  suspend(uuid: string): void {
    const domain = this.#need(uuid);
    if (!isOn(domain)) throw invalid('domain is not running');
    if (domain.power === 'paused') return;
    domain.power = 'paused';
    this.#emit(domain, 'paused', 'suspended/paused');
  }

  resume(uuid: string): void {
    const domain = this.#need(uuid);
    if (domain.power === 'running') return;
    if (domain.power !== 'paused') throw invalid('domain is not paused');
    domain.power = 'running';
    this.#emit(domain, 'running', 'resumed/unpaused');
  }

  destroy(uuid: string): void {
    const domain = this.#need(uuid);
    if (isOn(domain)) this.powerOff(domain, 'destroyed');
  }

  undefine(uuid: string): void {
    const domain = this.#byUuid.get(uuid);
    if (domain === undefined) return;
    domain.persistent = false;
    if (!isOn(domain)) this.#forget(domain);
    this.#emit(domain, 'unknown', 'undefined/removed');
  }

  /** From inside the guest, from the host's administrator, or by a crash. */
  powerOff(domain: SimDomain, reason: ShutoffReason): void {
    if (!isOn(domain)) return;
    this.#off(domain, reason);
    this.#emit(domain, 'shutoff', `stopped/${reason}`);
  }

  /** The host lost its power: nobody hears of it, and libvirt does not remember why its domains are off. */
  hostDied(): void {
    for (const domain of this.all()) if (isOn(domain)) this.#off(domain, 'unknown');
  }

  #off(domain: SimDomain, reason: ShutoffReason): void {
    domain.pressed?.cancel();
    domain.pressed = undefined;
    domain.power = 'shutoff';
    domain.reason = reason;
    this.#around.poweredOff(domain);
    if (!domain.persistent) this.#forget(domain);
  }

  #press(domain: SimDomain, obey: () => void): void {
    const { guest } = domain;
    const { clock } = this.#around;
    if (!guest.obeysAcpi || clock.monotonicMs() < domain.bootedAtMs || domain.pressed !== undefined) return;
    domain.pressed = clock.after(
      guest.shutdownMs,
      () => {
        domain.pressed = undefined;
        if (isOn(domain)) obey();
      },
      { unref: true },
    );
  }

  #boot(domain: SimDomain): void {
    domain.pressed?.cancel();
    domain.pressed = undefined;
    domain.bootedAtMs = this.#around.clock.monotonicMs() + domain.guest.bootMs;
    this.#around.poweredOn(domain);
  }

  #need(uuid: string): SimDomain {
    const domain = this.#byUuid.get(uuid);
    if (domain === undefined) {
      throw new CloudError('NotFound', `Domain not found: no domain with matching uuid '${uuid}'`, {
        details: { libvirtCode: 42 },
      });
    }
    return domain;
  }

  #forget(domain: SimDomain): void {
    this.#byUuid.delete(domain.uuid);
    this.#byName.delete(domain.name);
  }

  #emit(domain: SimDomain, power: PowerState, detail: string): void {
    const { name, uuid, reason } = domain;
    const base = { kind: 'domain', name, uuid, power, detail } as const;
    this.#around.emit(power === 'shutoff' ? { ...base, reason } : base);
  }
}
