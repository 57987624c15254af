/** How a simulated guest behaves. */
export interface SimGuest {
  /** Until so long after power-on it does not hear the power button. */
  readonly bootMs: number;
  /** From the power button to its own power-off. */
  readonly shutdownMs: number;
  /** False: the power button does nothing, ever. */
  readonly obeysAcpi: boolean;
}

/** What a simulated host is made of and how fast it answers. */
export interface SimHostOptions {
  readonly cpus: number;
  readonly memoryMib: number;
  readonly diskGib: number;
  readonly architecture: 'x86_64' | 'arm64';
  readonly virtType: 'kvm' | 'qemu';
  readonly routes: readonly string[];
  /** Each driver call takes so long; 0: it ends in the same turn of the event loop. */
  readonly latencyMs: number;
  readonly guest: SimGuest;
  /** A disk that must be there is: for hosts that are made anew with each process, whose guests start again as after a loss of power. */
  readonly disksLast: boolean;
}

export const SIM_HOST_DEFAULTS: SimHostOptions = {
  cpus: 16,
  memoryMib: 65_536,
  diskGib: 1000,
  architecture: 'x86_64',
  virtType: 'kvm',
  routes: [],
  latencyMs: 0,
  disksLast: false,
  guest: { bootMs: 0, shutdownMs: 0, obeysAcpi: true },
};
