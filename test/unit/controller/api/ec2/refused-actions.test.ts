import { describe, expect, it } from 'vitest';
import { actionNamed, EC2_ACTIONS } from '../../../../../src/controller/api/ec2/actions/index.ts';
import { REFUSED_ACTIONS } from '../../../../../src/controller/api/ec2/refused-actions.ts';
import type { Ec2Call } from '../../../../../src/controller/api/ec2/ec2-action.ts';

describe('actions that are never carried out', () => {
  it('say so with the reason, and are none of those that are', async () => {
    const both = Object.keys(REFUSED_ACTIONS).filter((name) => Object.hasOwn(EC2_ACTIONS, name));
    expect(both).toEqual([]);
    for (const name of Object.keys(REFUSED_ACTIONS)) {
      const answer = actionNamed(name)?.({} as Ec2Call);
      await expect(answer).rejects.toMatchObject({
        code: 'UnsupportedOperation',
        message: expect.stringMatching(/^\w+: .{10}/),
      });
    }
  });

  it('are not what nobody has heard of', () => {
    expect(['LaunchRockets', 'toString', '__proto__'].map(actionNamed)).toEqual([undefined, undefined, undefined]);
  });
});
