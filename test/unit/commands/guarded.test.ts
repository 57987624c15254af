import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';

let root: string;
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'novactl-guarded-'));
  cpSync('bin', join(root, 'bin'), { recursive: true });
  mkdirSync(join(root, 'dist'));
  writeFileSync(join(root, 'dist', 'cli.js'), '');
  // In place of Node: says who started it.
  writeFileSync(join(root, 'node'), '#!/bin/sh\ntr "\\0" " " <"/proc/$PPID/cmdline"\n', { mode: 0o755 });
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

/** True when the command runs under bin/terminal-guard, at a terminal. */
function guarded(words: string): boolean {
  const command = `'${join(root, 'bin', 'novactl')}' ${words}`;
  const env = { ...process.env, NOVACTL_NODE: join(root, 'node') };
  return execFileSync('script', ['-qec', command, '/dev/null'], { env, stdio: ['ignore', 'pipe', 'pipe'] })
    .toString()
    .includes('terminal-guard');
}

it.each([
  ['instance console i-1', true],
  ['dashboard', true],
  ['console-instance i-1', true],
  ['--context prod instance console i-1', true],
  ['-o json --set a=b --context=prod dashboard --read-only', true],
  ['instance --json list', false],
  ['--context dashboard instance list', false],
  ['', false],
])('"novactl %s" has its terminal given back after kill -9: %s', (words, is) => {
  expect(guarded(words)).toBe(is);
});
