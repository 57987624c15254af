import { describe, expect, it } from 'vitest';
import { READS } from '../../../src/client/http-client.ts';
import { OPERATIONS } from '../../../src/messages/operations/index.ts';

describe('what may be asked twice without a token', () => {
  it.each(Object.values(OPERATIONS))('$name: only what changes nothing', ({ name, changes }) => {
    expect(READS.test(name)).toBe(!changes);
  });
});
