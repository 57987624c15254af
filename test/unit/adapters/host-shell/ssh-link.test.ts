import { afterEach, describe, expect, it } from 'vitest';
import { SshLink } from '../../../../src/adapters/host-shell/ssh-link.ts';
import { SSH_LIMITS } from '../../../../src/adapters/host-shell/ssh-target.ts';
import { CloudError } from '../../../../src/base/errors.ts';
import { silentLogger } from '../../../../src/base/logger.ts';
import { SeededRandom } from '../../../../src/base/random.ts';
import { ManualClock } from '../../../support/manual-clock.ts';
import { startSsh2Server } from '../../../support/ssh2-server.ts';
import { until } from '../../../support/until.ts';

const TIMES = 8;
const closing: (() => Promise<unknown> | void)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

/** Milliseconds until the next attempt after each of several connections that were lost when they had stood for so long. */
async function pausesAfter(stoodMs: number): Promise<number[]> {
  const server = await startSsh2Server();
  closing.push(() => server.close());
  const clock = new ManualClock();
  const target = { sudo: false, ...server.endpoint };
  const random = new SeededRandom(1);
  const link = new SshLink({ target, name: 'h1', clock, random, logger: silentLogger, limits: SSH_LIMITS });
  closing.push(() => link.close(new CloudError('Unavailable', 'the test is over')));
  let losses = 0;
  link.onDown(() => (losses += 1));
  const pauses: number[] = [];
  for (let times = 1; times <= TIMES; times += 1) {
    await link.get();
    await clock.advance(stoodMs);
    server.cut();
    await until(() => losses === times, { what: `loss ${times} is seen` });
    pauses.push(link.waitMs);
    await clock.advance(link.waitMs);
  }
  return pauses;
}

describe('an SSH connection that is lost again and again', () => {
  it('is dialled after the first pause each time when it stood for a while', async () => {
    expect(Math.max(...(await pausesAfter(2000)))).toBeLessThanOrEqual(SSH_LIMITS.backoffMinMs);
  });

  it('is dialled later each time when it fell at once', async () => {
    expect((await pausesAfter(100)).at(-1)).toBeGreaterThan(10_000);
  });
});
