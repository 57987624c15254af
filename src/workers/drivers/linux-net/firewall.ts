import { z } from 'zod';
import { CloudError } from '../../../base/errors.ts';
import type { HostShell } from '../../../ports/host-shell.ts';
import type { NetworkSpec, PortSpec } from '../../../ports/network-backend.ts';
import { guardChain, TABLES } from './names.ts';
import {
  renderNetworkRemoval,
  renderNetworkRules,
  renderPortGuard,
  renderPortGuardRemoval,
  renderTablesRemoval,
} from './render-nft.ts';
import { parseToolJson, run } from './run.ts';

const LISTING = z.object({
  nftables: z.array(
    z.object({ chain: z.object({ family: z.string(), table: z.string(), name: z.string() }).optional() }),
  ),
});

/** The names of the guards in `nft -j list chains netdev`. */
export function parseGuardChains(text: string): string[] {
  const listing = LISTING.safeParse(parseToolJson(text, 'nft -j'));
  if (!listing.success) {
    throw new CloudError('HostError', '`nft -j list chains` answered in a shape that is not known here', {
      cause: listing.error,
    });
  }
  return listing.data.nftables.flatMap(({ chain }) =>
    chain?.family === TABLES.guard.family && chain.table === TABLES.guard.name ? [chain.name] : [],
  );
}

/** Our nftables tables on one host. Every change is one transaction. */
export class Firewall {
  readonly #shell: HostShell;

  constructor(shell: HostShell) {
    this.#shell = shell;
  }

  ensureNetwork(network: NetworkSpec): Promise<void> {
    return this.#apply(renderNetworkRules(network));
  }

  removeNetwork(bridge: string): Promise<void> {
    return this.#apply(renderNetworkRemoval(bridge));
  }

  removeTables(): Promise<void> {
    return this.#apply(renderTablesRemoval());
  }

  /** In one transaction; when that fails (a tap may be gone), each by itself. How it went for each. */
  async guardPorts(ports: readonly PortSpec[]): Promise<PromiseSettledResult<void>[]> {
    const [all] = await Promise.allSettled([this.#apply(ports.map(renderPortGuard).join(''))]);
    if (all.status === 'fulfilled' || ports.length === 1) return ports.map(() => all);
    return Promise.allSettled(ports.map((port) => this.#apply(renderPortGuard(port))));
  }

  /** Absent is success, and leaves no empty table behind. */
  async removePortGuard(tap: string): Promise<void> {
    const chains = parseGuardChains(await run(this.#shell, ['nft', '-j', 'list', 'chains', TABLES.guard.family]));
    if (chains.includes(guardChain(tap))) await this.#apply(renderPortGuardRemoval(tap));
  }

  async #apply(script: string): Promise<void> {
    await run(this.#shell, ['nft', '-f', '-'], { stdin: script });
  }
}
