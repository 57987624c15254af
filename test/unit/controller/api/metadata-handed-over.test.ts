import { duplexPair, type Duplex } from 'node:stream';
import { text } from 'node:stream/consumers';
import { describe, expect, it } from 'vitest';
import { SystemClock } from '../../../../src/base/clock.ts';
import { silentLogger } from '../../../../src/base/logger.ts';
import { SeededRandom } from '../../../../src/base/random.ts';
import { createMetadataServer } from '../../../../src/controller/api/metadata/metadata-server.ts';
import { METADATA_LIMITS } from '../../../../src/controller/api/metadata/metadata-server.ts';

function serverThatSaw(seen: (readonly [string, string | undefined])[]) {
  return createMetadataServer({
    lookup: (address, hostId) => {
      seen.push([address, hostId]);
      return undefined;
    },
    clock: new SystemClock(),
    random: new SeededRandom(1),
    logger: silentLogger,
    host: '127.0.0.1',
    port: 0,
  });
}

const ask = (guest: Duplex): Promise<string> => {
  guest.write('GET /latest/meta-data/instance-id HTTP/1.1\r\nHost: 169.254.169.254\r\n\r\n');
  return text(guest);
};

describe('a guest’s connection that a host hands over', () => {
  it('is looked up by the address that the host saw and by the host, and is for one request', async () => {
    const seen: (readonly [string, string | undefined])[] = [];
    const server = serverThatSaw(seen);
    const [ours, guest] = duplexPair();
    server.accept(ours, '10.200.0.5', 'h-1');
    const answer = await ask(guest);
    expect(answer).toMatch(/^HTTP\/1\.1 404 /);
    expect(answer).toMatch(/^connection: close\r$/im);
    expect(seen).toEqual([['10.200.0.5', 'h-1']]);
    await server.close();
  });

  it('counts for its guest, not for another with the same address on another host', async () => {
    const seen: (readonly [string, string | undefined])[] = [];
    const server = serverThatSaw(seen);
    for (let count = 0; count < METADATA_LIMITS.connectionsPerSource; count += 1) {
      server.accept(duplexPair()[0], '10.200.0.5', 'h-1');
    }
    const [tooMany] = duplexPair();
    server.accept(tooMany, '10.200.0.5', 'h-1');
    expect(tooMany.destroyed).toBe(true);
    const [ours, guest] = duplexPair();
    server.accept(ours, '10.200.0.5', 'h-2');
    expect(await ask(guest)).toMatch(/^HTTP\/1\.1 404 /);
    await server.close();
    expect(seen).toEqual([['10.200.0.5', 'h-2']]);
  });
});
