import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { RabbitBusOptions } from '../../src/adapters/bus/rabbit-bus.ts';
import type { ErrorCode } from '../../src/base/error-codes.ts';
import { SystemClock } from '../../src/base/clock.ts';
import { silentLogger } from '../../src/base/logger.ts';
import { SystemRandom } from '../../src/base/random.ts';
import { ConfigSchema, type Config } from '../../src/launch/config/schema.ts';
import { openBus } from '../../src/launch/open-bus.ts';
import type { Bus } from '../../src/ports/bus.ts';
import { freePorts } from '../support/free-ports.ts';
import type { PrivateRabbit } from '../support/private-rabbit.ts';
import { TestAuthority } from '../support/test-authority.ts';
import { CALL } from './bus-probe.ts';
import { emptyQueues, openOn } from './bus-rabbit-subject.ts';

/** Users that may too little, made with the broker; what each lacks is in its name. */
export const LIMITED_USERS = {
  'no-configure': { configure: '^$', write: '.*', read: '.*' },
  'no-write': { configure: '.*', write: '^(call|cast|fanout|dead)\\.', read: '.*' },
  'no-read': { configure: '.*', write: '.*', read: '^$' },
} as const;

type Row = readonly [what: string, other: Partial<RabbitBusOptions>, code: ErrorCode, says: RegExp];

async function worksOn(bus: Bus): Promise<void> {
  try {
    await bus.serve('t', { echo: async (body) => body });
    expect(await bus.call('t', 'echo', 1, CALL)).toBe(1);
    expect(bus.health()).toMatchObject({ engine: 'rabbitmq', ok: true });
  } finally {
    await bus.close();
  }
}

/** Who gets in, and what they are told who don't. */
export function accessCases(broker: () => PrivateRabbit): void {
  it('each refusal names the key of the configuration, and never the password [real]', async () => {
    const [nobody] = await freePorts(1);
    const { tlsUrl, tlsPort, port, password, dir } = broker();
    const stranger = new TestAuthority(join(dir, 'stranger'), 'stranger');
    const rows: readonly Row[] = [
      ['refused', { endpoints: [`amqp://127.0.0.1:${nobody}`] }, 'Unavailable', /bus\.rabbitmq\.endpoints/],
      ['wrong password', { password: 'wrong-secret' }, 'AuthFailure', /bus\.rabbitmq\.passwordFile/],
      ['unknown user', { user: 'ghost' }, 'AuthFailure', /ghost.*bus\.rabbitmq\.user/],
      ['no virtual host', { vhost: 'elsewhere' }, 'AuthFailure', /elsewhere.*bus\.rabbitmq\.vhost/],
      ['unknown CA', { endpoints: [tlsUrl], tls: { ca: stranger.ca } }, 'AuthFailure', /bus\.rabbitmq\.caFile/],
      ['other name', { endpoints: [`amqps://127.0.0.1:${tlsPort}`] }, 'AuthFailure', /not for 127\.0\.0\.1/],
      [
        'TLS to the plain port',
        { endpoints: [`amqps://localhost:${port}`] },
        'Unavailable',
        /bus\.rabbitmq\.endpoints/,
      ],
      [
        'plain to the TLS port',
        { endpoints: [`amqp://127.0.0.1:${tlsPort}`] },
        'Unavailable',
        /bus\.rabbitmq\.endpoints/,
      ],
      ['no certificate', { endpoints: [tlsUrl], password: undefined }, 'AuthFailure', /bus\.rabbitmq\.certFile/],
      ['plain off the machine', { endpoints: ['amqp://192.0.2.1:5672'] }, 'InvalidParameterValue', /amqps/],
      ['no server', { endpoints: [] }, 'InvalidParameterValue', /bus\.rabbitmq\.endpoints/],
      ...Object.keys(LIMITED_USERS).map((user): Row => [
        user,
        { user },
        'AuthFailure',
        new RegExp(`${user} .*too little`),
      ]),
    ];
    for (const [what, other, code, says] of rows) {
      const error: unknown = await openOn(broker(), other).then(
        (bus) => bus.close(),
        (problem: unknown) => problem,
      );
      expect(error, what).toMatchObject({ code, message: expect.stringMatching(says) as string });
      expect(JSON.stringify(error) + String(error), what).not.toContain(password);
      expect(String(error), what).not.toContain('wrong-secret');
    }
  });

  it('all servers are tried, and the error tells of the one that refused [real]', async () => {
    const [nobody] = await freePorts(1);
    const endpoints = [`amqp://127.0.0.1:${nobody}`, broker().url];
    await expect(openOn(broker(), { endpoints, password: 'wrong' })).rejects.toMatchObject({
      code: 'AuthFailure',
      message: expect.stringMatching(/nothing listens.*passwordFile|passwordFile.*nothing listens/) as string,
    });
  });

  describe('from the configuration', () => {
    it('logs in by a password from a file that nobody else reads [real]', async () => {
      await worksOn(await openBus(configFor(broker(), { passwordFile: secret(broker(), 0o600) }), parts()));
      const open = openBus(configFor(broker(), { passwordFile: secret(broker(), 0o640) }), parts());
      await expect(open).rejects.toMatchObject({
        code: 'InvalidParameterValue',
        message: expect.stringMatching(/chmod 600/) as string,
      });
    });

    it('logs in by a client certificate alone [real]', async () => {
      const { certFile, keyFile } = broker().authority.issue('novactl', ['novactl']);
      chmodSync(keyFile, 0o600);
      const { caFile } = broker().authority;
      await worksOn(
        await openBus(configFor(broker(), { endpoints: [broker().tlsUrl], caFile, certFile, keyFile }), parts()),
      );
      await emptyQueues(broker());
    });

    it('refuses half of a certificate, and nothing to log in with', async () => {
      for (const [other, says] of [
        [{ certFile: '/nowhere.pem' }, /bus\.rabbitmq\.keyFile is not/],
        [{}, /passwordFile nor bus\.rabbitmq\.certFile/],
      ] as const) {
        await expect(openBus(configFor(broker(), other), parts())).rejects.toMatchObject({
          code: 'InvalidParameterCombination',
          message: expect.stringMatching(says) as string,
        });
      }
    });
  });
}

const parts = (): Parameters<typeof openBus>[1] => ({
  clock: new SystemClock(),
  random: new SystemRandom(),
  logger: silentLogger,
});

function secret(rabbit: PrivateRabbit, mode: number): string {
  const path = join(rabbit.dir, `password-${mode}`);
  writeFileSync(path, `${rabbit.password}\n`, { mode });
  chmodSync(path, mode);
  return path;
}

function configFor(rabbit: PrivateRabbit, other: Partial<Config['bus']['rabbitmq']>): Config {
  return ConfigSchema.parse({ bus: { engine: 'rabbitmq', rabbitmq: { endpoints: [rabbit.url], ...other } } });
}
