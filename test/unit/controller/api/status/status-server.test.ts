import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { askReadiness } from '../../../../../src/client/ask-readiness.ts';
import { StatusServer, type StatusServerOptions } from '../../../../../src/controller/api/status/status-server.ts';
import type { Readiness } from '../../../../../src/messages/readiness.ts';

const facts = { name: 'w1', roles: ['worker'], pid: 7, version: '0.1.0', startedAtMs: 1, state: 'ready' } as const;
const READY: Readiness = { ready: true, reasons: [], troubles: [], process: { ...facts, roles: ['worker'] } };
const WAITING: Readiness = { ...READY, ready: false, reasons: ['it starts: it waits for the bus'] };

let server: StatusServer | undefined;
afterEach(() => server?.close());

async function start(options: Partial<StatusServerOptions> = {}): Promise<string> {
  server = new StatusServer({ listen: { host: '127.0.0.1', port: 0 }, readiness: () => READY, ...options });
  return `http://127.0.0.1:${await server.start()}`;
}

describe('the status of a process', () => {
  it('is alive whenever it answers, ready or not', async () => {
    const url = await start({ readiness: () => WAITING });
    expect((await fetch(`${url}/livez`)).status).toBe(200);
  });

  it('is 200 when it is ready, and 503 with the reasons when not', async () => {
    let now = READY;
    const url = await start({ readiness: () => now });
    const ready = await fetch(`${url}/readyz`);
    expect([ready.status, await ready.json()]).toEqual([200, READY]);
    now = WAITING;
    const waiting = await fetch(`${url}/readyz`);
    expect([waiting.status, await waiting.json()]).toEqual([503, WAITING]);
  });

  it('has figures where the process keeps some', async () => {
    const url = await start({ metrics: () => Promise.resolve('novactl_store_up 1\n') });
    const answer = await fetch(`${url}/metrics`);
    expect([answer.status, await answer.text()]).toEqual([200, 'novactl_store_up 1\n']);
    expect(answer.headers.get('content-type')).toContain('version=0.0.4');
    await server?.close();
    expect((await fetch(`${await start()}/metrics`)).status).toBe(404);
    expect((await fetch(`${await start()}/v1/DescribeCloud`)).status).toBe(404);
  });

  it('is told at a socket of its owner’s, over whatever a process that died has left there', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'novactl-status-'));
    const path = join(dir, 'status.sock');
    try {
      expect(await askReadiness(path)).toBeUndefined();
      writeFileSync(path, '');
      await start({ listen: { path }, readiness: () => WAITING });
      expect(statSync(path).mode & 0o777).toBe(0o600);
      expect(await askReadiness(path)).toEqual(WAITING);
    } finally {
      rmSync(dir, { recursive: true });
    }
  });

  it('says where it can not listen', async () => {
    const { port } = new URL(await start());
    const second = new StatusServer({ listen: { host: '127.0.0.1', port: Number(port) }, readiness: () => READY });
    await expect(second.start()).rejects.toMatchObject({
      code: 'Unavailable',
      message: expect.stringContaining(`127.0.0.1:${port}`) as string,
    });
  });
});
