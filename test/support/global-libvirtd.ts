import { existsSync } from 'node:fs';
import { OWNER_VARIABLE, releaseLibvirtd } from './libvirtd.ts';

/** vitest globalSetup: starts nothing; a libvirtd that some test file of this run asked for stays up until the run ends. */
export function setup(): void {
  process.env[OWNER_VARIABLE] = String(process.pid);
}

export async function teardown(): Promise<void> {
  if (existsSync(`/run/novactl/test-holders/${process.pid}`)) await releaseLibvirtd(process.pid);
}
