import { describe, expect, it } from 'vitest';
import { type Config, ConfigSchema, type Role } from '../../../../src/launch/config/schema.ts';
import { processPlan } from '../../../../src/launch/roles/process-plan.ts';

const ETCD = { engine: 'etcd', etcd: { endpoints: ['http://127.0.0.1:2379'] } };
const RABBIT = { engine: 'rabbitmq', rabbitmq: { endpoints: ['amqp://127.0.0.1:5672'] } };

const config = (keys: Record<string, unknown>): Config => ConfigSchema.parse(keys);
const plan = (keys: Record<string, unknown>, host = 'Node1.example.org') => processPlan(config(keys), host);

function refusal(keys: Record<string, unknown>, host = 'node1'): { code: string; message: string } {
  try {
    processPlan(config(keys), host);
  } catch (error) {
    return error as { code: string; message: string };
  }
  throw new Error('it was not refused');
}

describe('what the configuration makes of a process', () => {
  it('is an all-in-one by default, whose worker keeps its name over upgrades', () => {
    expect(plan({})).toEqual({
      roles: ['api', 'controller', 'objectstore', 'worker'],
      name: 'local',
      shared: false,
      sharedStore: false,
    });
  });

  it('is an all-in-one with a name of its own where one is set', () => {
    expect(plan({ node: { name: 'cellar' } })).toMatchObject({ name: 'cellar', shared: false });
  });

  it('has the machine’s name among others', () => {
    expect(plan({ store: ETCD, bus: RABBIT, roles: ['worker', 'api'] })).toEqual({
      ...{ roles: ['api', 'worker'], name: 'node1', shared: true, sharedStore: true },
    });
    expect(plan({ store: ETCD })).toMatchObject({ name: 'node1', shared: true });
    expect(plan({ bus: RABBIT, roles: ['api', 'controller'] })).toMatchObject({ shared: true, sharedStore: false });
  });

  it('has objects among others only where somebody asked for them: by the role, or by where S3 listens', () => {
    const shared = { store: ETCD, bus: RABBIT };
    const named = ['api', 'controller', 'objectstore', 'worker'];
    expect(plan(shared).roles).toEqual(['api', 'controller', 'worker']);
    expect(plan({ ...shared, roles: named }).roles).toEqual(named);
    expect(plan({ ...shared, objectstore: { listen: ['127.0.0.1'] } }).roles).toEqual(named);
    expect(plan({ bus: RABBIT }).roles).toEqual(named);
  });

  it('is refused where the machine’s name can’t be one', () => {
    const { code, message } = refusal({ store: ETCD, bus: RABBIT }, '_gateway');
    expect(code).toBe('InvalidParameterValue');
    expect(message).toContain('"_gateway"');
    expect(message).toContain('set node.name');
  });

  it('names each role once, whatever the order', () => {
    expect(plan({ roles: ['worker', 'controller', 'api', 'api'] }).roles).toEqual(['api', 'controller', 'worker']);
  });

  it.each<[string, Record<string, unknown>, string[]]>([
    [
      'a memory bus without all roles',
      { roles: ['api', 'controller'] },
      ['bus.engine: memory', 'bus.engine to rabbitmq'],
    ],
    [
      'a file store with a controller alone',
      { roles: ['controller'], bus: RABBIT },
      ['store.engine: file', 'api and controller', 'store.engine to etcd'],
    ],
    ['a file store with an api alone', { roles: ['api', 'worker'], bus: RABBIT }, ['store.engine: file']],
    ['etcd that is nowhere', { store: { engine: 'etcd' }, bus: RABBIT }, ['store.etcd.endpoints']],
    [
      'a file store with objects in a process of their own',
      { roles: ['objectstore'], bus: RABBIT },
      ['store.engine: file', 'access keys', 'api and controller'],
    ],
    ['objects alone on a memory bus', { roles: ['objectstore'], store: ETCD }, ['bus.engine: memory']],
    ['RabbitMQ that is nowhere', { store: ETCD, bus: { engine: 'rabbitmq' } }, ['bus.rabbitmq.endpoints']],
    ['a memory store of real hosts', { store: { engine: 'memory' } }, ['store.engine: memory', 'drivers: simulated']],
    [
      'several at once, all of them said',
      { roles: ['api'], store: { engine: 'file' } },
      ['bus.engine: memory', 'store.engine: file'],
    ],
  ])('refuses %s and says what to change', (_what, keys, words) => {
    const { code, message } = refusal(keys);
    expect(code).toBe('InvalidParameterCombination');
    for (const word of words) expect(message).toContain(word);
  });

  it.each<[string, readonly Role[], Record<string, unknown>]>([
    ['a worker alone, which has no store, with whatever engine', ['worker'], { bus: RABBIT }],
    ['a worker alone that does not know where etcd is', ['worker'], { bus: RABBIT, store: { engine: 'etcd' } }],
    ['api and controller on files, with workers elsewhere', ['api', 'controller'], { bus: RABBIT }],
    ['an api alone on etcd', ['api'], { bus: RABBIT, store: ETCD }],
    ['objects alone on etcd', ['objectstore'], { bus: RABBIT, store: ETCD }],
    ['an all-in-one without objects', ['api', 'controller', 'worker'], {}],
    ['api, controller and objects on files', ['api', 'controller', 'objectstore'], { bus: RABBIT }],
    ['a controller alone on etcd', ['controller'], { bus: RABBIT, store: ETCD }],
    ['everything on etcd in one process', ['api', 'controller', 'worker'], { store: ETCD }],
  ])('takes %s', (_what, roles, keys) => {
    expect(plan({ ...keys, roles }).roles).toEqual(roles);
  });
});
