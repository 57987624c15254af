import { afterAll } from 'vitest';
import { OWNER_VARIABLE } from './libvirtd.ts';
import { takeTurn } from './turn.ts';

// vitest setupFile: of all workers of this run one has a file of such a project at a time.
const turn = await takeTurn(`novactl-tests-${process.env[OWNER_VARIABLE] ?? process.pid}`);
afterAll(() => {
  turn.close();
});
