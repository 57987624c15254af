import { expect, it } from 'vitest';
import { type Closer, closeAll } from '../../../src/base/close-all.ts';

it('ends all parts, the last one first and each once, also when one of them fails', async () => {
  const ended: string[] = [];
  const closers: Closer[] = [
    () => void ended.push('lock'),
    () => Promise.reject(new Error('first')),
    async () => {
      ended.push('server');
      await Promise.resolve();
      throw new Error('second');
    },
  ];
  await expect(closeAll(closers)).rejects.toThrow('second');
  expect(ended).toEqual(['server', 'lock']);
  await closeAll(closers);
  expect(ended).toHaveLength(2);
});
