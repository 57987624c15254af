import { SystemClock } from '../../../src/base/clock.ts';
import { SystemRandom } from '../../../src/base/random.ts';
import { importStore } from '../../../src/launch/store-tools/import-store.ts';
import { ConfigSchema } from '../../../src/launch/config/schema.ts';

/** Imports a file, and is killed when so many records are there. */
async function main(config: string, path: string, killAt: string): Promise<void> {
  await importStore({
    config: ConfigSchema.parse(JSON.parse(config)),
    path,
    clock: new SystemClock(),
    random: new SystemRandom(),
    command: 'import-child',
    onProgress: (done) => {
      if (done >= Number(killAt)) process.kill(process.pid, 'SIGKILL');
    },
  });
}

const [config = '', path = '', killAt = ''] = process.argv.slice(2);
await main(config, path, killAt);
