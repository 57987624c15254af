import { CloudError } from '../../base/errors.ts';
import type { Config, Role } from '../config/schema.ts';
import { ROLES, UNNAMED_ROLES } from '../config/schema.ts';

/** What one process of the cloud is to be. */
export interface ProcessPlan {
  readonly roles: readonly Role[];
  /** Its name among the cloud's processes: as controller, worker and service. */
  readonly name: string;
  /** Other processes may belong to the cloud. */
  readonly shared: boolean;
  /** And have the same store: there may be several controllers. Default: as `shared`. */
  readonly sharedStore?: boolean;
}

/** Several processes may follow and change the state. */
export const sharesStore = ({ shared, sharedStore = shared }: ProcessPlan): boolean => sharedStore;

/** The one worker of an all-in-one on the file engine; its assignments outlive the process, and upgrades. */
export const WORKER_ID = 'local';

/** What a cloud of one process needs; objects are beside it. */
const WHOLE = ['api', 'controller', 'worker'] as const satisfies readonly Role[];

const NODE_NAME = /^[a-z0-9][a-z0-9-]{0,62}$/;

/**
 * What the configuration makes of this process. CloudError 'InvalidParameterCombination' where its parts can't work together,
 * 'InvalidParameterValue' where the machine's host name is no name; both say what to change.
 */
export function processPlan(config: Config, hostname: string): ProcessPlan {
  const roles = ROLES.filter((role) => config.roles.includes(role) && !isUnasked(role, config));
  const isWhole = WHOLE.every((role) => roles.includes(role));
  refuse(roles, config);
  const sharedStore = config.store.engine === 'etcd';
  const shared = sharedStore || config.bus.engine === 'rabbitmq';
  const name = isWhole && !shared && config.node.name === '' ? WORKER_ID : nodeName(config, hostname);
  return { roles, name, shared, sharedStore };
}

/** Objects are in a folder of one machine: processes that share a store must not each get objects of their own because nobody has named roles. */
function isUnasked(role: Role, { roles, store, objectstore }: Config): boolean {
  return (
    role === 'objectstore' && roles === UNNAMED_ROLES && store.engine === 'etcd' && objectstore.listen.length === 0
  );
}

function nodeName({ node }: Config, hostname: string): string {
  if (node.name !== '') return node.name;
  const own = hostname.toLowerCase().split('.')[0] ?? '';
  if (NODE_NAME.test(own)) return own;
  throw new CloudError(
    'InvalidParameterValue',
    `node.name: the machine's host name ${JSON.stringify(hostname)} can't name a process of the cloud; set node.name`,
  );
}

function refuse(roles: readonly Role[], { bus, store, drivers }: Config): void {
  const refusals: readonly (readonly [boolean, string])[] = [
    [
      bus.engine === 'memory' && !WHOLE.every((role) => roles.includes(role)),
      `bus.engine: memory reaches this process alone, which then needs all roles (objectstore is needed where objects are to be); set roles to ${ROLES.join(',')}, or bus.engine to rabbitmq`,
    ],
    [
      store.engine !== 'etcd' && roles.includes('api') !== roles.includes('controller'),
      `store.engine: ${store.engine} belongs to one process, which then needs the roles api and controller both; set roles to api,controller or to all, or store.engine to etcd`,
    ],
    [
      store.engine !== 'etcd' && roles.includes('objectstore') && !roles.includes('controller'),
      `store.engine: ${store.engine} belongs to one process, and objectstore needs it to know access keys; give objectstore to the process that has the roles api and controller, or set store.engine to etcd`,
    ],
    [
      store.engine === 'etcd' && store.etcd.endpoints.length === 0 && roles.some((role) => role !== 'worker'),
      'store.engine: etcd needs to know where etcd is; set store.etcd.endpoints, for example to https://etcd1.example.org:2379',
    ],
    [
      bus.engine === 'rabbitmq' && bus.rabbitmq.endpoints.length === 0,
      'bus.engine: rabbitmq needs to know where RabbitMQ is; set bus.rabbitmq.endpoints, for example to amqps://mq1.example.org:5671',
    ],
    [
      store.engine === 'memory' && drivers !== 'simulated',
      'store.engine: memory forgets everything at the end, so it goes with drivers: simulated only',
    ],
  ];
  const lines = refusals.filter(([wrong]) => wrong).map(([, text]) => text);
  if (lines.length > 0)
    throw new CloudError('InvalidParameterCombination', lines.join('\n'), { details: { problems: lines } });
}
