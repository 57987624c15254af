import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CONFIG_KEYS } from '../../../src/launch/config/keys.ts';

const UNITS = join(import.meta.dirname, '../../../packaging/systemd');
const ROLE_UNITS = ['api', 'controller', 'objectstore', 'worker'].map((role) => `novactl-${role}.service`);
const SERVERS = [...ROLE_UNITS, 'novactl.service'];

const text = (name: string): string => readFileSync(join(UNITS, name), 'utf8');

/** Every value that a directive has in a unit. */
function values(name: string, directive: string): string[] {
  return text(name)
    .split('\n')
    .flatMap((line) => (line.startsWith(`${directive}=`) ? [line.slice(directive.length + 1)] : []));
}

const environment = (name: string): Record<string, string> =>
  Object.fromEntries(values(name, 'Environment').map((word) => word.split('=') as [string, string]));

describe('the units of the servers', () => {
  let dir: string;
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'novactl-units-'));
  });
  afterEach(() => rmSync(dir, { recursive: true, force: true }));

  it('are these', () => {
    const files = readdirSync(UNITS).filter((name) => !name.startsWith('novactl-maintain-'));
    expect(files.toSorted()).toEqual(SERVERS);
  });

  it('are understood by systemd [real]', (ctx) => {
    if (spawnSync('systemd-analyze', ['--version']).status !== 0) {
      ctx.skip('systemd-analyze is not installed');
      return;
    }
    for (const name of SERVERS) {
      // It looks whether the program is there, and it is not installed where tests run.
      const path = join(dir, name);
      writeFileSync(path, text(name).replaceAll('/usr/bin/novactl', '/bin/true'));
      const { stderr } = spawnSync('systemd-analyze', ['verify', '--man=no', path], { encoding: 'utf8' });
      expect([name, stderr.split('\n').filter((line) => line.includes(name))]).toEqual([name, []]);
    }
  });

  it('share no folder, port or name with each other', () => {
    const variables = ROLE_UNITS.map(environment);
    const known = new Set(CONFIG_KEYS.map(({ env }) => env));
    for (const own of variables) {
      expect(Object.keys(own).filter((name) => !known.has(name))).toEqual([]);
      expect(Object.keys(own)).toHaveLength(4);
      for (const other of variables) {
        if (other === own) continue;
        expect(Object.values(own).filter((value) => Object.values(other).includes(value))).toEqual([]);
      }
    }
  });

  it('have the folders that they name made for them', () => {
    for (const name of ROLE_UNITS) {
      const own = environment(name);
      expect(`/var/lib/${values(name, 'StateDirectory')[0] ?? ''}`).toBe(own['NOVACTL_STATE_DIR']);
      expect(`/run/${values(name, 'RuntimeDirectory')[0] ?? ''}`).toBe(own['NOVACTL_RUN_DIR']);
    }
  });

  it('come back whatever ended them, and have time to drain', () => {
    for (const name of SERVERS) {
      expect([name, values(name, 'Restart'), values(name, 'StartLimitIntervalSec')]).toEqual([name, ['always'], ['0']]);
      expect(Number(values(name, 'TimeoutStopSec')[0])).toBeGreaterThanOrEqual(60);
    }
  });
});
