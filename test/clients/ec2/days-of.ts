import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { DAY_CLIENTS, DAYS, type DayClient, whyNoClient } from '../../support/ec2-clients.ts';
import { SandboxProcess } from './sandbox-process.ts';

const DAY_MS = 175_000;
/** They have files of their own, so that they do not wait for each other. */
const SLOW = ['ansible', 'awscli'] as const;

/** The clients of one file: a slow one, or all the others. */
export function clientsOf(file: (typeof SLOW)[number] | 'others'): readonly DayClient[] {
  const isSlow = ({ id }: DayClient): boolean => SLOW.some((slow) => slow === id);
  const clients = DAY_CLIENTS.filter((client) => (file === 'others' ? !isSlow(client) : client.id === file));
  if (clients.length === 0) throw new Error(`there is no client ${file}`);
  return clients;
}

/** Each client has its day on a sandbox of its own. */
export function daysOf(clients: readonly Omit<DayClient, 'id'>[]): void {
  describe('a day in the life of a cloud', () => {
    let sandbox: SandboxProcess | undefined;

    afterEach(async () => {
      await sandbox?.stop();
      sandbox = undefined;
    });

    it.for(clients)('passes by $name [sim]', { timeout: DAY_MS }, async (client, { skip }) => {
      const missing = whyNoClient(client);
      if (missing !== undefined) skip(missing);
      sandbox = await SandboxProcess.start();
      const { command, script, env } = client;
      const { code, output } = await sandbox.run(command, [join(DAYS, script)], env);
      expect(code, output.slice(-4000)).toBe(0);
    });
  });
}
