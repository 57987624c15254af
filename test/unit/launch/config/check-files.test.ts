import { generateKeyPairSync } from 'node:crypto';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { checkNamedFiles, NAMED_FILES } from '../../../../src/launch/config/check-files.ts';
import { CONFIG_KEYS } from '../../../../src/launch/config/keys.ts';
import { ConfigSchema, type Config } from '../../../../src/launch/config/schema.ts';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'novactl-check-'));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const config = (values: Record<string, unknown>): Config =>
  ConfigSchema.parse({ stateDir: dir, runDir: dir, hostDir: dir, ...values });

function file(name: string, text: string, mode = 0o600): string {
  const path = join(dir, name);
  writeFileSync(path, text);
  chmodSync(path, mode);
  return path;
}

const etcd = (files: Record<string, string>, engine = 'etcd') =>
  config({ store: { engine, etcd: { endpoints: ['https://127.0.0.1:2379'], ...files } } });

describe('the files that the configuration names', () => {
  it('are all in the table', () => {
    const named = CONFIG_KEYS.map(({ path }) => path).filter((path) => /(File|\.ca)$/.test(path));
    expect(NAMED_FILES.map(({ key }) => key).toSorted()).toEqual(named.toSorted());
  });

  it('are right when nothing is named, and when what is named can be read', async () => {
    expect(await checkNamedFiles(config({}))).toEqual([]);
    const { privateKey } = generateKeyPairSync('ed25519');
    const keyFile = file('key.pem', privateKey.export({ type: 'pkcs8', format: 'pem' }).toString());
    expect(await checkNamedFiles(etcd({ keyFile }))).toEqual([]);
  });

  it('are named with their key and what is wrong, all at once, and nothing of what is in them', async () => {
    mkdirSync(join(dir, 'folder'));
    const rabbitmq = {
      ...{ endpoints: ['amqp://127.0.0.1:5672'], caFile: join(dir, 'folder') },
      ...{ passwordFile: file('password', 'hunter2', 0o644), certFile: file('empty.pem', '') },
    };
    const both = config({
      store: {
        engine: 'etcd',
        etcd: {
          ...{ endpoints: ['https://127.0.0.1:2379'], caFile: join(dir, 'absent.pem') },
          ...{ certFile: file('cert.pem', 'hunter2'), keyFile: file('key.pem', 'hunter2') },
        },
      },
      bus: { engine: 'rabbitmq', rabbitmq },
    });
    const error: unknown = await checkNamedFiles(both).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'InvalidParameterValue' });
    const { message } = error as Error;
    expect(message.replaceAll(dir, 'D').split('\n')).toEqual([
      'store.etcd.caFile: D/absent.pem: there is no such file: put it there, or correct the key in the configuration',
      expect.stringMatching(/^store.etcd.certFile: D\/cert.pem: it is no certificate in PEM: /),
      expect.stringMatching(/^store.etcd.keyFile: D\/key.pem: it is no key in PEM: /),
      'bus.rabbitmq.passwordFile: D/password: others may read this secret (mode 0644): chmod 600 D/password',
      'bus.rabbitmq.caFile: D/folder: it is a folder, and a file is wanted',
      'bus.rabbitmq.certFile: D/empty.pem: the file is empty',
    ]);
    expect(message).not.toContain('hunter2');
  });

  it('that nothing reads are told of, and are no mistake', async () => {
    expect(await checkNamedFiles(etcd({ keyFile: '/nowhere/key.pem' }, 'file'))).toEqual([
      'store.etcd.keyFile: /nowhere/key.pem: there is no such file: put it there, or correct the key in the configuration (it is not in use)',
    ]);
  });
});
