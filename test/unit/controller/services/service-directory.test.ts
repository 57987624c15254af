import { describe, expect, it } from 'vitest';
import type { ServiceHello } from '../../../../src/messages/worker.ts';
import { ServiceDirectory } from '../../../../src/controller/services/service-directory.ts';

const hello = (serviceId: string, keys: Partial<ServiceHello> = {}): ServiceHello => ({
  ...{ v: 1, serviceId, session: 's1', roles: ['worker'], version: '0.1.0', machine: 'm', pid: 7 },
  ...{ startedAtMs: 1000, atMs: 2000, state: 'ready', bus: { engine: 'memory', waiting: 0, handling: 0 } },
  ...keys,
});

function directory() {
  const time = { nowMs: 50_000 };
  return { time, services: new ServiceDirectory(() => time.nowMs) };
}

describe('the processes that were heard', () => {
  it('are listed by name, with what each said last', () => {
    const { services } = directory();
    services.hello(hello('w2'));
    services.hello(hello('a1', { opens: 1 }));
    services.hello(hello('a1', { opens: 2 }));
    expect(services.list().map((seen) => [seen.hello.serviceId, seen.hello.opens])).toEqual([
      ['a1', 2],
      ['w2', undefined],
    ]);
  });

  it('are lost after 15 s of silence, back with their next word, and forgotten after an hour', () => {
    const { time, services } = directory();
    services.hello(hello('w1'));
    time.nowMs += 15_000;
    expect(services.get('w1')).toMatchObject({ lost: false, silentMs: 15_000 });
    time.nowMs += 1;
    expect(services.get('w1')).toMatchObject({ lost: true });
    services.hello(hello('w1'));
    expect(services.get('w1')).toMatchObject({ lost: false, silentMs: 0 });
    time.nowMs += 3_600_001;
    expect(services.list()).toEqual([]);
  });

  it('are what the newer session says; an older one that still speaks is told of', () => {
    const { time, services } = directory();
    services.hello(hello('c1', { session: 'old', startedAtMs: 1000 }));
    services.hello(hello('c1', { session: 'new', startedAtMs: 9000, owns: 3 }));
    expect(services.get('c1')).toMatchObject({ hello: { session: 'new' }, doubled: false });
    services.hello(hello('c1', { session: 'old', startedAtMs: 1000 }));
    services.hello(hello('c1', { session: 'new', startedAtMs: 9000, owns: 4 }));
    expect(services.get('c1')).toMatchObject({ hello: { session: 'new', owns: 4 }, doubled: true });
    time.nowMs += 15_000;
    services.hello(hello('c1', { session: 'new', startedAtMs: 9000, owns: 4 }));
    expect(services.get('c1')).toMatchObject({ doubled: false });
  });

  it('are what the next session says after a silence, also when its clock is behind', () => {
    const { time, services } = directory();
    services.hello(hello('c1', { session: 'first', startedAtMs: 9000 }));
    services.hello(hello('c1', { session: 'next', startedAtMs: 1000 }));
    expect(services.get('c1')).toMatchObject({ hello: { session: 'first' } });
    time.nowMs += 15_001;
    services.hello(hello('c1', { session: 'next', startedAtMs: 1000 }));
    expect(services.get('c1')).toMatchObject({ hello: { session: 'next' }, lost: false, doubled: false });
  });
});
