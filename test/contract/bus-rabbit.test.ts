import { afterAll, beforeAll, beforeEach, describe } from 'vitest';
import { PrivateRabbit, rabbitMissing } from '../support/private-rabbit.ts';
import { accessCases, LIMITED_USERS } from './bus-rabbit-access.ts';
import { recoveryCases } from './bus-rabbit-recovery.ts';
import { rabbitSubject } from './bus-rabbit-subject.ts';
import { busContract } from './bus.ts';

let rabbit: PrivateRabbit | undefined;
const missing = rabbitMissing();

beforeAll(async () => {
  if (missing === undefined) rabbit = await PrivateRabbit.start({ users: LIMITED_USERS });
}, 150_000);
afterAll(() => rabbit?.destroy());
beforeEach((context) => context.skip(missing !== undefined, missing));

function broker(): PrivateRabbit {
  if (rabbit === undefined) throw new Error('the broker did not start');
  return rabbit;
}

busContract('RabbitMQ', () => rabbitSubject(broker()));
busContract('RabbitMQ over TLS', () => rabbitSubject(broker(), { endpoints: [broker().tlsUrl] }));
describe('RabbitMQ bus', () => recoveryCases(broker));
describe('Access to RabbitMQ', () => accessCases(broker));
