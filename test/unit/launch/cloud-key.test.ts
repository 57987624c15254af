import { mkdtempSync, readFileSync, rmSync, statSync, unlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SeededRandom } from '../../../src/base/random.ts';
import { CloudKey } from '../../../src/launch/cloud-key.ts';

let dir = '';
beforeEach(() => (dir = mkdtempSync(join(tmpdir(), 'novactl-key-'))));
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const key = (): CloudKey => new CloudKey(join(dir, 'ssh', 'id_ed25519'), new SeededRandom(1));

describe('the cloud’s own key', () => {
  it('is made at its first use, for its owner alone, and stays', async () => {
    const one = key();
    const [line, again] = await Promise.all([one.publicLine(), one.publicLine()]);
    expect(line).toMatch(/^ssh-ed25519 \S+ novactl$/);
    expect(again).toBe(line);
    expect(await key().publicLine()).toBe(line);
    const modes = [one.path, join(dir, 'ssh')].map((path) => statSync(path).mode & 0o777);
    expect(modes).toEqual([0o600, 0o700]);
    expect(readFileSync(one.path, 'utf8')).toContain('BEGIN OPENSSH PRIVATE KEY');
  });

  it('says how its public half is made again', async () => {
    await key().publicLine();
    unlinkSync(`${key().path}.pub`);
    await expect(key().publicLine()).rejects.toThrow('ssh-keygen -y -f');
  });
});
