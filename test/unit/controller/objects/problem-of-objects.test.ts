import { describe, expect, it } from 'vitest';
import { objectsElsewhere } from '../../../../src/controller/objects/objects-elsewhere.ts';
import { problemOfObjects } from '../../../../src/controller/objects/problem-of-objects.ts';
import { troublesOfObjects } from '../../../../src/controller/objects/troubles-of-objects.ts';
import { ServiceDirectory } from '../../../../src/controller/services/service-directory.ts';
import type { ServiceHello } from '../../../../src/messages/worker.ts';

const process = { name: 'api1' } as Parameters<typeof objectsElsewhere>[0]['process'];
let nowMs = 0;

function services(roles: Readonly<Record<string, readonly string[]>>): ServiceDirectory {
  const directory = new ServiceDirectory(() => nowMs);
  for (const [serviceId, of] of Object.entries(roles)) {
    const hello: ServiceHello = {
      ...{ v: 1, serviceId, session: serviceId, roles: [...of], version: '1', machine: `${serviceId}-box`, pid: 1 },
      ...{ startedAtMs: 0, atMs: 0, state: 'ready', bus: { engine: 'memory', waiting: 0, handling: 0 } },
    };
    directory.hello(hello);
  }
  return directory;
}

describe('what is said of objects', () => {
  it('where there are none here: who has them', () => {
    const { code, message } = objectsElsewhere({
      process,
      services: services({ api1: ['api'], os1: ['objectstore'] }),
    });
    expect(code).toBe('Unavailable');
    expect(message).toContain('os1 (on os1-box) has them');
    expect(objectsElsewhere({ process, services: services({ api1: ['api'] }) }).message).toContain(
      'no process with the role objectstore was heard of',
    );
    const elsewhere = objectsElsewhere({ process, services: services({}) }, 'https://s3.example.org');
    expect(elsewhere).toMatchObject({
      code: 'UnsupportedOperation',
      message: expect.stringContaining('https://s3.example.org') as string,
    });
  });

  it('what ails all processes alike is told once, since the first of them saw it', () => {
    const says = (serviceId: string, objects: ServiceHello['objects'], lost = false) => ({
      lost,
      hello: { serviceId, objects } as ServiceHello,
    });
    const text = 'the endpoint is down (ECONNREFUSED)';
    const told = troublesOfObjects([
      says('api1', { text, sinceMs: Date.UTC(2026, 10, 23, 8, 0, 7) }),
      says('w1', { text, sinceMs: Date.UTC(2026, 10, 23, 8, 0, 1) }),
      says('w2', { text, sinceMs: Date.UTC(2026, 10, 23, 8, 0, 3) }),
      says('gone', { text, sinceMs: 1 }, true),
      says('os1', { text: '1 object is damaged' }),
      says('w3', undefined),
    ]);
    expect(told).toEqual([
      `processes api1, w1, w2: objects: ${text} (since 2026-11-23T08:00:01.000Z)`,
      'process os1: objects: 1 object is damaged',
    ]);
  });

  it('two processes that have some are told, as long as both live; else what the last scrub found', () => {
    const two = services({ api1: ['api', 'objectstore'], os1: ['objectstore'] });
    const keeper = { problem: '1 object is damaged' };
    expect(problemOfObjects(keeper, { process, services: two })).toContain(
      'os1 (on os1-box) has the role objectstore too',
    );
    nowMs += 20_000;
    expect(problemOfObjects(keeper, { process, services: two })).toBe('1 object is damaged');
    expect(problemOfObjects(undefined, { process, services: two })).toBeUndefined();
  });
});
