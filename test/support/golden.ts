import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect } from 'vitest';

const ROOT = join(import.meta.dirname, '..', 'golden');

/**
 * What is rendered must be the file test/golden/<name>, byte for byte. With UPDATE_GOLDEN=1 the file is written instead,
 * for somebody to read before it is committed.
 */
export function expectGolden(name: string, rendered: string): void {
  const path = join(ROOT, name);
  if (process.env['UPDATE_GOLDEN'] === '1') {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, rendered);
  }
  expect(rendered, `differs from test/golden/${name} (UPDATE_GOLDEN=1 rewrites it)`).toBe(readFileSync(path, 'utf8'));
}
