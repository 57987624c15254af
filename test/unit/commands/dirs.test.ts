import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { cloudDirs, readIfThere } from '../../../src/commands/support/dirs.ts';
import { loadConfig } from '../../../src/launch/config/load-config.ts';

let home: string;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'novactl-dirs-'));
  mkdirSync(join(home, '.config/novactl'), { recursive: true });
  writeFileSync(join(home, 'novactl.yaml'), 'stateDir: /file/state\nrunDir: /file/run\nregion: x\n');
  writeFileSync(join(home, 'other.yaml'), 'region: x\n');
  const contexts = 'current: a\ncontexts:\n  a: {runDir: /a/run}\n  b: {"stateDir": /b/state}\n';
  writeFileSync(join(home, 'contexts.yaml'), contexts);
});
afterEach(() => rmSync(home, { recursive: true }));

interface Case {
  readonly env?: Record<string, string>;
  readonly flags?: Record<string, string>;
  readonly file?: string;
  readonly context?: string;
  readonly contexts?: boolean;
  readonly uid?: number;
}

const CASES: readonly (readonly [string, Case])[] = [
  ['nothing', {}],
  ['a user', { uid: 1000 }],
  [
    'a user with folders of the session',
    { uid: 1000, env: { XDG_RUNTIME_DIR: '/run/user/1000', XDG_STATE_HOME: '/s' } },
  ],
  ['a relative XDG folder', { uid: 1000, env: { XDG_STATE_HOME: 's' } }],
  ['a file', { file: 'novactl.yaml' }],
  ['a file that says nothing of them', { file: 'other.yaml' }],
  ['a file and the current context', { file: 'novactl.yaml', contexts: true }],
  ['another context', { file: 'novactl.yaml', contexts: true, context: 'b' }],
  ['another context by its variable', { contexts: true, env: { NOVACTL_CONTEXT: 'b' } }],
  ['variables', { file: 'novactl.yaml', contexts: true, env: { NOVACTL_RUN_DIR: '/env/run', NOVACTL_STATE_DIR: '' } }],
  ['flags', { file: 'novactl.yaml', env: { NOVACTL_RUN_DIR: '/env/run' }, flags: { runDir: '/flag/run' } }],
];

describe('the short way to the folders', () => {
  it.each(CASES)('finds what the whole configuration has: %s', async (_name, { contexts, ...given }) => {
    if (contexts === true)
      writeFileSync(join(home, '.config/novactl/contexts.yaml'), readIfThere(join(home, 'contexts.yaml')) ?? '');
    const options = {
      env: { HOME: home, ...given.env },
      uid: given.uid ?? 0,
      flags: given.flags ?? {},
      configPath: given.file === undefined ? undefined : join(home, given.file),
      context: given.context,
    };
    const { config } = loadConfig({ ...options, readFile: readIfThere });
    expect(await cloudDirs(options)).toEqual({ stateDir: config.stateDir, runDir: config.runDir });
  });

  it('leaves complaints about a broken file to those who need all of it', async () => {
    writeFileSync(join(home, 'novactl.yaml'), 'stateDir: [\n');
    const options = {
      env: { HOME: home },
      uid: 0,
      flags: {},
      configPath: join(home, 'novactl.yaml'),
      context: undefined,
    };
    expect(await cloudDirs(options)).toEqual({ stateDir: '/var/lib/novactl', runDir: '/run/novactl' });
  });
});
