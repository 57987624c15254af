import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { SandboxProcess } from './sandbox-process.ts';

export interface Client {
  readonly name: string;
  /** Is there when the client is; and the Debian package that brings it. */
  readonly needs: string;
  readonly from: string;
  readonly command: string;
  /** Beside this file. It asserts what it sees, and ends with another code than 0 at the first thing that is not so. */
  readonly script: string;
  readonly env?: NodeJS.ProcessEnv;
}

const DAY_MS = 175_000;

/** Each client has its day on a sandbox of its own. The slow ones have files of their own, so that they do not wait for each other. */
export function daysOf(clients: readonly Client[]): void {
  describe('a day in the life of a cloud', () => {
    let sandbox: SandboxProcess | undefined;

    afterEach(async () => {
      await sandbox?.stop();
      sandbox = undefined;
    });

    it.for(clients)(
      'passes by $name [sim]',
      { timeout: DAY_MS },
      async ({ needs, from, command, script, env }, { skip }) => {
        if (!existsSync(needs)) skip(`needs ${from}, which is not installed`);
        sandbox = await SandboxProcess.start();
        const { code, output } = await sandbox.run(command, [join(import.meta.dirname, script)], env);
        expect(code, output.slice(-4000)).toBe(0);
      },
    );
  });
}
