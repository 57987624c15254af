import { once } from 'node:events';
import { PassThrough } from 'node:stream';
import { expect, it } from 'vitest';
import { ConnectionCounter } from '../../../../src/controller/api/connection-counter.ts';

it('one source has so many connections at a time, and others have theirs', async () => {
  const counter = new ConnectionCounter(2);
  const from = (source: string): PassThrough => {
    const socket = new PassThrough();
    counter.admit(socket, source);
    return socket;
  };
  const first = from('a');
  const second = from('a');
  const third = from('a');
  const other = from('b');
  expect([first, second, third, other].map((socket) => socket.destroyed)).toEqual([false, false, true, false]);
  const closed = [first, third].map((socket) => once(socket, 'close'));
  first.destroy();
  await Promise.all(closed);
  expect(from('a').destroyed).toBe(false);
});
