import { hostListing } from '../hosts.ts';
import { instanceListing } from '../instances.ts';
import { renderListing, type Listing, type RenderOptions } from '../listing.ts';
import { operationListing } from '../operations.ts';
import { lineText } from './line.ts';
import { overviewLines } from './overview.ts';
import type { Known } from './state.ts';

const WIDTH = 100;
const OPERATIONS = 10;

/** The whole dashboard as one text, for a terminal that can't draw or a file. */
export function snapshotText(known: Known, options: RenderOptions): string {
  const { nowMs } = options;
  const width = options.width ?? WIDTH;
  const operations = [...known.operations.values()].sort((a, b) => b.startedAtMs - a.startedAtMs);
  const overview = overviewLines({ ...known, operations: new Map(known.operations) }, nowMs, width, 9);
  const part = <T>(title: string, listing: Listing<T>): string =>
    listing.rows.length === 0 ? '' : `\n${title}\n${renderListing(listing, options)}`;
  return [
    `${overview.map((item) => lineText(item, width, options)).join('\n')}\n`,
    part('hosts', hostListing([...known.hosts.values()])),
    part('instances', instanceListing([...known.instances.values()])),
    part('last operations', operationListing(operations.slice(0, OPERATIONS))),
  ].join('');
}
