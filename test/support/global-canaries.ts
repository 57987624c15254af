import { CANARY_DIR_VARIABLE, CanaryWatch } from './canary-watch.ts';

let watch: CanaryWatch | undefined;

/** vitest globalSetup: secrets of tests are looked for as long as the run lasts. The closing reporter says where they were seen. */
export function setup(): void {
  watch = new CanaryWatch();
  process.env[CANARY_DIR_VARIABLE] = watch.dir;
}

export function teardown(): void {
  watch?.close();
}
