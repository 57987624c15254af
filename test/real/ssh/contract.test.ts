import { afterAll, beforeAll, describe } from 'vitest';
import { hostShellContract } from '../../contract/host-shell.ts';
import { PrivateSshd, sshdMissing } from '../../support/private-sshd.ts';
import { sshSubject } from '../../support/ssh-subject.ts';

const missing = sshdMissing();

describe.skipIf(missing !== undefined)(`sshd [real]${missing === undefined ? '' : `: ${missing}`}`, () => {
  let sshd: PrivateSshd;
  beforeAll(async () => {
    sshd = await PrivateSshd.start();
  });
  afterAll(() => sshd.stop());

  hostShellContract('SSH to sshd as root', () => sshSubject({ ...sshd.endpoint, sudo: false }, true));
});
