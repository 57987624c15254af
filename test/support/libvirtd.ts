import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { libvirtSocketCandidates } from '../../src/workers/drivers/libvirt/libvirt-hypervisor.ts';
import { untilLibvirtAnswers } from './private-libvirtd.ts';

const run = promisify(execFile);
const HOLD = join(import.meta.dirname, 'libvirtd-hold');
const START_SCRIPT = join(import.meta.dirname, '..', '..', 'packaging', 'libvirtd-start');
const STARTED = '/run/novactl/test-holders/.started';
const START_TIMEOUT_MS = 180_000;

/** Set by global-libvirtd.ts: the process that lives as long as the whole run, and lets go at its end. */
export const OWNER_VARIABLE = 'LIBVIRTD_TEST_OWNER';

export interface SharedLibvirtd {
  readonly socket: string;
  /** False: it ran before any test, and no test ends it. */
  readonly startedByUs: boolean;
  /** Refused for a daemon that is not ours. Other test files that use it lose their connections: prefer PrivateLibvirtd. */
  restart(): Promise<void>;
  /** Lets go; the last user's ends a daemon that tests started. */
  stop(): Promise<void>;
}

async function hold(action: 'hold' | 'release', pid: number): Promise<void> {
  await run(HOLD, [action, String(pid)], { timeout: START_TIMEOUT_MS });
}

/** Forgets this process as a user of the shared daemon. */
export function releaseLibvirtd(pid: number): Promise<void> {
  return hold('release', pid);
}

/**
 * The machine's libvirtd: the one that answers, or one that packaging/libvirtd-start starts. For a test that may kill it or counts its
 * domains take PrivateLibvirtd. Needs what libvirtdMissing() asks for.
 */
export async function ensureLibvirtd(): Promise<SharedLibvirtd> {
  const owner = process.env[OWNER_VARIABLE];
  const pid = owner === undefined ? process.pid : Number(owner);
  await hold('hold', pid);
  const socket = libvirtSocketCandidates.find((path) => existsSync(path));
  if (socket === undefined) throw new Error('libvirt answers, but has none of the sockets we know');
  await untilLibvirtAnswers(socket);
  const startedByUs = existsSync(STARTED);
  return {
    socket,
    startedByUs,
    restart: async () => {
      if (!startedByUs)
        throw new Error('this libvirtd was not started by the tests: it is not restarted by them either');
      await run(START_SCRIPT, ['--stop'], { timeout: START_TIMEOUT_MS });
      await hold('hold', pid);
      await untilLibvirtAnswers(socket);
    },
    stop: () => (owner === undefined ? releaseLibvirtd(pid) : Promise.resolve()),
  };
}
