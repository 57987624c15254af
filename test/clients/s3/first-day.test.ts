import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SandboxProcess } from '../ec2/sandbox-process.ts';

const program = (name: string): string => join(import.meta.dirname, name);

describe('clients of S3 in a sandbox [real]', () => {
  let sandbox: SandboxProcess;
  beforeAll(async () => (sandbox = await SandboxProcess.start()));
  afterAll(() => sandbox.stop());

  it.each<[string, string, readonly string[]]>([
    ['boto3', '/usr/bin/python3', [program('first_day.py')]],
    ['boto 2', '/usr/bin/python3', [program('first_day_boto2.py')]],
  ])(
    'put, get, list and delete: %s',
    async (_, command, args) => {
      const { code, output } = await sandbox.run(command, args);
      expect([code, output]).toEqual([0, expect.stringMatching(/the day is over\n$/)]);
    },
    420_000,
  );
});
