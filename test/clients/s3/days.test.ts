import { existsSync, mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SandboxProcess } from '../ec2/sandbox-process.ts';

const PYTHON = '/usr/bin/python3';

/** Each program asserts what it sees, and ends with another code than 0 at the first thing that is not so. */
const CLIENTS: readonly (readonly [name: string, needs: string, command: string, program: string])[] = [
  ['boto3', '/usr/lib/python3/dist-packages/boto3', PYTHON, 'day_boto3.py'],
  ['rclone', '/usr/bin/rclone', '/bin/sh', 'day_rclone.sh'],
  ['restic', '/usr/bin/restic', '/bin/sh', 'day_restic.sh'],
  ['s3cmd by signature versions 4 and 2', '/usr/bin/s3cmd', '/bin/sh', 'day_s3cmd.sh'],
  ['the AWS CLI', '/usr/bin/aws', '/bin/sh', 'day_cli.sh'],
  ['the AWS SDK for JavaScript', process.execPath, process.execPath, 'day-sdk.ts'],
];

describe('a day with S3 [real]', () => {
  let sandbox: SandboxProcess;
  beforeAll(async () => (sandbox = await SandboxProcess.start()));
  afterAll(() => sandbox.stop());

  it.each(CLIENTS)(
    'by %s',
    async (_, needs, command, program) => {
      // npm test installs them all where it may.
      expect(existsSync(needs), `${needs} is there`).toBe(true);
      const home = mkdtempSync(join(sandbox.home, 'day-'));
      const args = [join(import.meta.dirname, program)];
      const { code, output } = await sandbox.run(command, args, { HOME: home, TMPDIR: home });
      expect([code, output]).toEqual([0, expect.stringContaining('the day is over\n')]);
    },
    420_000,
  );
});
