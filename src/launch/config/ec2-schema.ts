import { z } from 'zod';
import { readListen } from './listen.ts';
import { name, oneOf, whole } from './schema-fields.ts';

/** As a mapping, or its name alone, whose one zone is the name and `a`. */
const region = z.union(
  [
    z.strictObject({ name, zones: z.array(name).min(1).max(64) }),
    name.transform((text) => ({ name: text, zones: [`${text}a`] })),
  ],
  'must be a name, or a mapping with name and zones (1 to 64 names)',
);

export const regions = z
  .array(region)
  .max(64, 'must be at most 64 regions')
  .default([])
  .describe(
    'regions that the EC2 API serves, each with its zones, like {name: west, zones: [west-a, west-b]}, or its name alone, which has the zone westa; region is one of them. Empty: region alone, with the zones of its hosts',
  );

const perSecond = (count: number, what: string) =>
  whole(0, 1_000_000)
    .default(count)
    .describe(`${what} that one access key may send a second, to each process; 0: as many as it likes`);
const burst = (count: number, what: string) =>
  whole(1, 1_000_000).default(count).describe(`${what} that one access key may send at once after a rest`);

export const ec2 = z.strictObject({
  listen: z
    .array(
      z.string().refine((text) => readListen(text) !== undefined, {
        message: 'must be addresses like 10.0.0.1, 10.0.0.1:8773 or [fd00::1]:8773',
      }),
    )
    .max(16, 'must be at most 16 addresses')
    .default([])
    .describe('addresses, each with or without a port, where the EC2 API listens; empty: nowhere'),
  port: whole(0, 65_535).default(8773).describe('TCP port of the EC2 API where ec2.listen names none'),
  protocol: oneOf('https', 'http')
    .default('https')
    .describe('https: by TLS, with the certificate that the admin API has; http: on loopback addresses only'),
  allowPlaintext: oneOf('off', 'on').default('off').describe('on: http on other addresses than loopback too'),
  signatureV2: oneOf('off', 'on')
    .default('off')
    .describe('on: requests signed by signature version 2 are taken too, for old clients'),
  rateLimit: z
    .strictObject({
      describePerSecond: perSecond(1000, 'requests that only read'),
      describeBurst: burst(2000, 'requests that only read'),
      changePerSecond: perSecond(500, 'requests that change something'),
      changeBurst: burst(1000, 'requests that change something'),
      runPerSecond: perSecond(500, 'requests that make instances'),
      runBurst: burst(1000, 'requests that make instances'),
    })
    .prefault({}),
});

interface WithRegions {
  readonly region: string;
  readonly zone: string;
  readonly regions: readonly { readonly name: string; readonly zones: readonly string[] }[];
}

const doubled = (words: readonly string[]): string | undefined => words.find((word, at) => words.indexOf(word) !== at);

/** Regions and zones are there once, and what hosts are added to by default is among them. */
export function checkRegions(config: WithRegions, context: z.RefinementCtx): void {
  const { region: own, zone, regions: all } = config;
  if (all.length === 0) return;
  const say = (message: string): void => context.addIssue({ code: 'custom', path: ['regions'], message });
  const twice = doubled(all.map((one) => one.name)) ?? doubled(all.flatMap(({ zones }) => zones));
  if (twice !== undefined) return say(`must have each region and each zone once (${twice} is there twice)`);
  const first = all.find((one) => one.name === own);
  if (first === undefined) say(`must have the region that region names (${own})`);
  else if (!first.zones.includes(zone)) say(`must have the zone that zone names (${zone}) in the region ${own}`);
}
